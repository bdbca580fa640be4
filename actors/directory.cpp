#include "actors/directory.hpp"

#include "actors/failure.hpp"
#include "actors/life.hpp"

#include <algorithm>

namespace troupe {
namespace {

using directory_ptr = directory_actor::stateful_pointer<directory_state>;

void tell(directory_ptr self, const caf::weak_actor_ptr& subscriber, const directory_state::entry& known) {
  send_packed(self, subscriber.lock(), known.news);
}

void tell_all(directory_ptr self, const std::string& path, const directory_state::entry& known) {
  const auto waiting = self->state.subscribers.find(path);
  if (waiting != self->state.subscribers.end())
    for (const auto& subscriber : waiting->second)
      tell(self, subscriber, known);
}

// Once for each actor, whatever parts it plays: as somebody's path, as a subscriber.
void watch(directory_ptr self, const caf::strong_actor_ptr& actor) {
  if (self->state.watched.insert(actor->address()).second)
    self->monitor(actor);
}

void started(directory_ptr self, const v1::ActorStarted& news, const caf::strong_actor_ptr& actor) {
  if (!actor || news.path().empty())
    return;
  auto& state = self->state;
  watch(self, actor);
  auto& players = state.entries[news.path()];
  std::erase_if(players, [&](const auto& player) { return player.actor == actor; });
  const auto supervisor = caf::actor_cast<caf::weak_actor_ptr>(self->current_sender());
  players.push_back({packed(news, actor), actor, supervisor, news.restarts()});
  tell_all(self, news.path(), players.back());
}

void subscribe(directory_ptr self, const v1::Subscribe& wish, const caf::strong_actor_ptr& who) {
  if (!who)
    return;
  auto& state = self->state;
  watch(self, who);
  const auto subscriber = caf::actor_cast<caf::weak_actor_ptr>(who);
  for (const auto& path : wish.paths()) {
    auto& subscribers = state.subscribers[path];
    if (std::find(subscribers.begin(), subscribers.end(), subscriber) == subscribers.end())
      subscribers.push_back(subscriber);
    const auto known = state.entries.find(path);
    if (known != state.entries.end())
      tell(self, subscriber, known->second.back());
  }
}

void forget(directory_ptr self, const caf::actor_addr& ended) {
  auto& state = self->state;
  state.watched.erase(ended);
  for (auto& [path, players] : state.entries) {
    const bool counted = players.back().actor->address() == ended;
    std::erase_if(players, [&](const auto& player) { return player.actor->address() == ended; });
    if (counted && !players.empty())
      tell_all(self, path, players.back());
  }
  std::erase_if(state.entries, [](const auto& e) { return e.second.empty(); });
  for (auto& [path, subscribers] : state.subscribers)
    std::erase_if(subscribers, [&](const auto& s) { return caf::actor_cast<caf::actor_addr>(s) == ended; });
  std::erase_if(state.subscribers, [](const auto& s) { return s.second.empty(); });
}

void remember(directory_state& state, const v1::SupervisorDecision& decision) {
  state.decisions.push_back(decision);
  if (state.decisions.size() > directory_state::decisions_max)
    state.decisions.pop_front();
  ++state.decisions_total;
}

void abandon(directory_ptr self, const v1::AbandonActor& order) {
  const auto known = self->state.entries.find(order.path());
  if (known == self->state.entries.end())
    return;
  for (const auto& player : known->second)
    if (player.actor->id() == order.actor_id())
      send_packed(self, player.supervisor.lock(), packed(order));
}

v1::ActorList list(const directory_state& state) {
  v1::ActorList result;
  for (const auto& [path, players] : state.entries) {
    result.add_paths(path);
    result.add_restarts(players.back().restarts);
  }
  for (const auto& decision : state.decisions)
    *result.add_decisions() = decision;
  result.set_decisions_total(state.decisions_total);
  return result;
}

} // namespace

directory_actor::behavior_type directory(directory_ptr self) {
  report_exceptions(self);
  self->set_down_handler([self](caf::down_msg& down) { forget(self, down.source); });
  self->set_default_handler(caf::drop);
  return {
    [self](const v1::ActorStarted& news, const caf::strong_actor_ptr& actor) { started(self, news, actor); },
    [self](const v1::SupervisorDecision& decision) { remember(self->state, decision); },
    [self](const v1::Subscribe& wish, const caf::strong_actor_ptr& who) { subscribe(self, wish, who); },
    [self](const v1::AbandonActor& order) { abandon(self, order); },
    [self](const v1::CheckLife& check) { give_sign(self, check); },
    [self](const v1::ListActors&) { return list(self->state); }};
}

directory_actor spawn_directory(caf::actor_system& system) { return system.spawn(directory); }

} // namespace troupe
