#include "actors/supervision/directory.hpp"

#include "actors/supervision/failure.hpp"
#include "actors/supervision/liveness.hpp"

namespace troupe {
namespace {

using directory_ptr = directory_actor::stateful_pointer<directory_state>;

void tell(directory_ptr self, const caf::actor_addr& subscriber, const directory_state::holder& known) {
  send_packed(self, caf::actor_cast<caf::strong_actor_ptr>(subscriber), known.news);
}

void tell_all(directory_ptr self, const std::string& path, const directory_state::holder& known) {
  const auto waiting = self->state.subscribers.find(path);
  if (waiting != self->state.subscribers.end())
    for (const auto& subscriber : waiting->second)
      tell(self, subscriber, known);
}

// The paths that an actor holds or has subscribed to. Monitors it, once, from the first time on.
std::set<std::string>& paths_of(directory_ptr self, const caf::strong_actor_ptr& actor) {
  const auto [it, is_new] = self->state.paths_of.try_emplace(actor->address());
  if (is_new)
    self->monitor(actor);
  return it->second;
}

void started(directory_ptr self, const v1::ActorStarted& news, const caf::strong_actor_ptr& actor) {
  if (!actor || news.path().empty())
    return;
  auto& state = self->state;
  paths_of(self, actor).insert(news.path());
  auto& holders = state.entries[news.path()];
  std::erase_if(holders, [&](const auto& holder) { return holder.actor == actor; });
  const auto supervisor = caf::actor_cast<caf::weak_actor_ptr>(self->current_sender());
  holders.push_back({packed(news, actor), actor, supervisor, news.restarts()});
  tell_all(self, news.path(), holders.back());
}

void add_subscriber(directory_ptr self, const v1::Subscribe& request, const caf::strong_actor_ptr& actor) {
  if (!actor)
    return;
  auto& state = self->state;
  auto& paths = paths_of(self, actor);
  for (const auto& path : request.paths()) {
    paths.insert(path);
    state.subscribers[path].insert(actor->address());
    const auto known = state.entries.find(path);
    if (known != state.entries.end())
      tell(self, actor->address(), known->second.back());
  }
}

void forget_holder(directory_ptr self, const std::string& path, const caf::actor_addr& ended) {
  auto& entries = self->state.entries;
  const auto known = entries.find(path);
  if (known == entries.end())
    return;
  auto& holders = known->second;
  const bool was_last = holders.back().actor->address() == ended;
  std::erase_if(holders, [&](const auto& holder) { return holder.actor->address() == ended; });
  if (holders.empty())
    entries.erase(known);
  else if (was_last)
    tell_all(self, path, holders.back());
}

void forget_subscriber(directory_state& state, const std::string& path, const caf::actor_addr& ended) {
  const auto known = state.subscribers.find(path);
  if (known == state.subscribers.end())
    return;
  known->second.erase(ended);
  if (known->second.empty())
    state.subscribers.erase(known);
}

void forget(directory_ptr self, const caf::actor_addr& ended) {
  const auto paths = self->state.paths_of.extract(ended);
  if (paths.empty())
    return;
  for (const auto& path : paths.mapped()) {
    forget_holder(self, path, ended);
    forget_subscriber(self->state, path, ended);
  }
}

void remember(directory_state& state, const v1::SupervisorDecision& decision) {
  state.decisions.push_back(decision);
  if (state.decisions.size() > directory_state::decisions_max)
    state.decisions.pop_front();
  ++state.decisions_total;
}

void tell_log(const log_function& log, const v1::SupervisorDecision& decision) {
  if (!log || decision.directive() == v1::DIRECTIVE_STOP) return; // What is done is no news.
  const bool gives_up = decision.directive() == v1::DIRECTIVE_ESCALATE;
  std::string text = decision.child() + " ended: " + decision.reason();
  text += gives_up ? "; " + decision.supervisor() + " gives up, after too many restarts" : "; it is restarted";
  if (decision.stopped_size() > 0) text += ", with " + std::to_string(decision.stopped_size()) + " others";
  write_log(log, gives_up ? log_level::error : log_level::warning, text);
}

void abandon(directory_ptr self, const v1::AbandonActor& order) {
  const auto known = self->state.entries.find(order.path());
  if (known == self->state.entries.end())
    return;
  send_packed(self, known->second.back().supervisor.lock(), packed(order));
}

v1::ActorList list(const directory_state& state) {
  v1::ActorList result;
  for (const auto& [path, holders] : state.entries) {
    result.add_paths(path);
    result.add_restarts(holders.back().restarts);
    result.add_actor_ids(holders.back().actor->id());
  }
  for (const auto& decision : state.decisions)
    *result.add_decisions() = decision;
  result.set_decisions_total(state.decisions_total);
  return result;
}

} // namespace

directory_actor::behavior_type directory(directory_ptr self, const log_function& log) {
  report_exceptions(self);
  self->set_down_handler([self](caf::down_msg& down) { forget(self, down.source); });
  self->set_default_handler(caf::drop);
  return {
    [self](const v1::ActorStarted& news, const caf::strong_actor_ptr& actor) { started(self, news, actor); },
    [self, log](const v1::SupervisorDecision& decision) {
      remember(self->state, decision);
      tell_log(log, decision);
    },
    [self](const v1::Subscribe& request, const caf::strong_actor_ptr& actor) { add_subscriber(self, request, actor); },
    [self](const v1::AbandonActor& order) { abandon(self, order); },
    [self](const v1::CheckLiveness& check) { answer_liveness_check(self, check); },
    [self](const v1::ListActors&) { return list(self->state); }};
}

directory_actor spawn_directory(caf::actor_system& system) { return system.spawn(directory, log_function{}); }

} // namespace troupe
