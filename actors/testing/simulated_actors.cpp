#include "actors/testing/simulated_actors.hpp"

#include "actors/supervision/failure.hpp"
#include "model/error.hpp"

#include <algorithm>

namespace troupe::testing {

simulated_actors::simulated_actors(uint64_t seed, std::shared_ptr<const v1::FaultPlan> plan, observers watch)
    : watch_(std::move(watch)), sim(seed) {
  TROUPE_ASSERT(!plan || !watch_.traffic);
  if (plan) injector_ = spawn_fault_injector(sim.system(), {std::move(plan), [this](caf::timespan span) { sim.jump(span); }});
}

child_hook simulated_actors::hook(child_hook inner) {
  const auto injecting = injector_ ? hook_of(injector_) : child_hook{};
  return [this, inner = std::move(inner), injecting](child_spec& spec) {
    if (injecting) injecting(spec);
    else if (inner) inner(spec);
    note_starts(spec);
  };
}

bool simulated_actors::step() {
  if (!sim.can_run() && receive()) return true; // No time passes while the client has messages.
  const bool moved = sim.step();
  if (moved && sim.draw(8) != 0) return true; // The client does not read after every step.
  return receive() || moved;
}

caf::strong_actor_ptr simulated_actors::find(const std::string& path) {
  const auto it = newest.find(path);
  return it == newest.end() ? nullptr : it->second.lock();
}

const actor_record* simulated_actors::find_record(const std::string& path) const {
  const actor_record* found = nullptr;
  for (const auto& [id, one] : records_)
    if (one->path == path && (!found || one->incarnation > found->incarnation)) found = one.get();
  return found;
}

std::vector<caf::actor_id> simulated_actors::former_handles(const std::string& path) const {
  std::vector<caf::actor_id> ids;
  for (const auto& [id, one] : records_)
    if (one->path == path && !one->alive) ids.push_back(one->known_as);
  std::sort(ids.begin(), ids.end()); // The records have no order.
  return ids;
}

void simulated_actors::kill(const caf::strong_actor_ptr& target, bool urgently) {
  if (!target) return;
  const auto id = caf::make_message_id(urgently ? caf::message_priority::high : caf::message_priority::normal);
  target->enqueue(nullptr, id, caf::make_message(caf::exit_msg{target->address(), caf::exit_reason::kill}), nullptr);
}

void simulated_actors::crash(const caf::strong_actor_ptr& target, const std::string& what) {
  if (!target) return;
  target->enqueue(nullptr, caf::make_message_id(),
                  caf::make_message(caf::exit_msg{target->address(), make_error(failure::exception, what)}), nullptr);
}

void simulated_actors::abandon(const std::string& path) {
  const auto handle = find(path);
  if (handle) abandon(path, handle->id());
}

void simulated_actors::abandon(const std::string& path, caf::actor_id id) {
  v1::AbandonActor order;
  order.set_path(path);
  order.set_actor_id(id);
  if (const auto directory = find(paths::directory))
    caf::anon_send(caf::actor_cast<directory_actor>(directory), order);
}

v1::FaultLog simulated_actors::fault_log() {
  caf::scoped_actor self{sim.system()};
  v1::FaultLog log;
  auto request = self->request(injector_, caf::infinite, v1::GetFaultLog{});
  sim.run_now();
  request.receive([&](v1::FaultLog& answer) { log.Swap(&answer); }, [](const caf::error&) {});
  return log;
}

void simulated_actors::stop_faults() {
  if (injector_) caf::anon_send(injector_, v1::StopFaults{});
}

std::vector<std::string> simulated_actors::listed_paths() {
  caf::scoped_actor self{sim.system()};
  std::vector<std::string> result;
  const auto directory = find(paths::directory);
  if (!directory) return result;
  auto request = self->request(caf::actor_cast<directory_actor>(directory), caf::infinite, v1::ListActors{});
  sim.run_now();
  request.receive([&](const v1::ActorList& list) { result.assign(list.paths().begin(), list.paths().end()); },
                  [](const caf::error&) {});
  return result;
}

std::vector<std::string> simulated_actors::unread() {
  std::vector<std::string> names;
  for (const auto& [id, one] : records_) {
    const auto handle = one->alive ? one->actor.lock() : nullptr;
    if (!handle) continue;
    auto* local = dynamic_cast<caf::scheduled_actor*>(caf::actor_cast<caf::abstract_actor*>(handle));
    // An actor that has read everything has a blocked mailbox. Any closer look would unblock it.
    if (local && !local->mailbox().blocked() && !local->mailbox().empty()) names.push_back(one->name());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void simulated_actors::close_if_open() {
  if (root_) close();
}

size_t simulated_actors::close() {
  end_client();
  client_proxy_ = nullptr;
  caf::anon_send_exit(root_, caf::exit_reason::user_shutdown);
  root_ = nullptr;
  sim.thaw_all();
  sim.run_to_idle();
  if (injector_) caf::anon_send_exit(injector_, caf::exit_reason::user_shutdown);
  injector_ = nullptr;
  if (on_close) on_close();
  sim.run_to_idle();
  newest.clear();
  return sim.actors_running();
}

void simulated_actors::note_starts(child_spec& spec) {
  const bool is_sequence = spec.restart == restart_kind::temporary;
  spec.start = [this, start = spec.start, is_sequence](caf::scheduled_actor* parent, const std::string& path,
                                                       const caf::message& args) {
    ++starts[path];
    auto handle = start(parent, path, args);
    if (!handle) return handle;
    auto& one = *(records_[handle->id()] = std::make_unique<actor_record>());
    one.incarnation = is_sequence ? 1 : starts[path];
    handle = add_proxy(one, handle);
    one.path = is_sequence ? path + "/" + std::to_string(handle->id()) : path; // As its supervisor publishes it.
    newest[one.path] = one.proxy;
    if (watch_.started) watch_.started(one);
    return handle;
  };
}

/// Fills the actor's record. Returns the handle that the others get: with observers of the traffic, that of a proxy.
caf::strong_actor_ptr simulated_actors::add_proxy(actor_record& one, const caf::strong_actor_ptr& actor) {
  one.id = actor->id();
  one.actor = caf::actor_cast<caf::weak_actor_ptr>(actor);
  auto handle = actor;
  if (watch_.traffic)
    handle = interpose(actor, [this, &one](caf::mailbox_element_ptr& element) { return pass(one, element); });
  one.proxy = caf::actor_cast<caf::weak_actor_ptr>(handle);
  one.known_as = handle->id();
  caf::actor_cast<caf::abstract_actor*>(actor)->attach_functor([this, &one](const caf::error& reason) {
    one.alive = false;
    if (watch_.ended) watch_.ended(one, reason);
  });
  return handle;
}

/// The tree's actors are known by their proxies, also as senders: so answers are seen as well.
caf::strong_actor_ptr simulated_actors::known_as(const caf::strong_actor_ptr& actor) {
  if (!actor) return nullptr;
  const auto found = records_.find(actor->id());
  return found == records_.end() ? nullptr : found->second->proxy.lock();
}

fate simulated_actors::pass(const actor_record& to, caf::mailbox_element_ptr& element) {
  const auto facts = read_message(element->content());
  if (facts.kind == message_kind::other) return fate::pass;
  if (brings_client(facts.kind) && !client_proxy_) { // The client's first message.
    const auto& client = element->content().get_as<caf::strong_actor_ptr>(1);
    auto& one = *(records_[client->id()] = std::make_unique<actor_record>());
    one.path = "client";
    client_proxy_ = add_proxy(one, client);
  }
  const auto sender = element->sender ? records_.find(element->sender->id()) : records_.end();
  translate_handles(element, [this](const caf::strong_actor_ptr& actor) { return known_as(actor); });
  message_record here{sender == records_.end() ? nullptr : sender->second.get(), to, facts, element};
  return watch_.traffic(here);
}

} // namespace troupe::testing
