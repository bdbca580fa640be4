#include "actors/tree/root_relay.hpp"

#include "actors/interfaces/paths.hpp"
#include "actors/supervision/failure.hpp"
#include "actors/supervision/supervisor_core.hpp"

#include <chrono>
#include <deque>
#include <utility>

namespace troupe {
namespace {

struct relay_state {
  static inline const char* name = "root_relay";
  struct question {
    caf::actor_clock::time_point at;
    caf::weak_actor_ptr asker;
  };
  relay_state() = default;
  caf::strong_actor_ptr root; // Null: there is none.
  std::deque<question> questions; // Oldest first.
  bool ends = false;
  caf::error why;
};
using relay_pointer = root_relay_actor::stateful_pointer<relay_state>;

constexpr caf::timespan remembered = std::chrono::seconds(1);

template <class... Parts> void pass_to_root(relay_pointer self, const Parts&... parts) {
  const auto& root = self->state.root;
  if (root) root->enqueue(self->current_sender(), caf::make_message_id(), caf::make_message(parts...), self->context());
}

void ask_root(relay_pointer self, const caf::strong_actor_ptr& asker) {
  self->state.root->enqueue(asker, caf::make_message_id(), caf::make_message(v1::FindDirectory{}), self->context());
}

void on_question(relay_pointer self) {
  auto& st = self->state;
  const auto now = self->clock().now();
  while (st.root && !st.questions.empty() && st.questions.front().at + remembered < now) st.questions.pop_front();
  st.questions.push_back({now, caf::actor_cast<caf::weak_actor_ptr>(self->current_sender())});
  if (st.root) ask_root(self, self->current_sender());
}

void on_root(relay_pointer self, const caf::strong_actor_ptr& root) {
  auto& st = self->state;
  if (const auto before = std::exchange(st.root, root); before && before != root) send_kill(before);
  self->monitor(root);
  if (st.ends) return self->send_exit(root, caf::exit_reason::user_shutdown);
  for (const auto& one : st.questions)
    if (const auto asker = one.asker.lock()) ask_root(self, asker);
}

root_relay_actor::behavior_type root_relay(relay_pointer self, const root_actor& first) {
  report_exceptions(self);
  self->set_default_handler(caf::drop);
  on_root(self, caf::actor_cast<caf::strong_actor_ptr>(first));
  self->set_down_handler([self](const caf::down_msg& down) {
    auto& st = self->state;
    if (!st.root || down.source != st.root->address()) return;
    st.root = nullptr;
    if (st.ends) self->quit(st.why);
  });
  self->set_exit_handler([self](const caf::exit_msg& order) {
    auto& st = self->state;
    st.ends = true;
    st.why = order.reason;
    if (st.root) self->send_exit(st.root, caf::exit_reason::user_shutdown);
    else self->quit(st.why);
  });
  return {[self](const v1::AbandonActor& order) { pass_to_root(self, order); }, [](const v1::SupervisorTick&) {},
          [self](const v1::CheckLiveness& check) { pass_to_root(self, check); }, [](const v1::LivenessReply&) {},
          [self](const v1::FindDirectory&) { on_question(self); },
          [self](const v1::UseFaultInjector& order, const caf::strong_actor_ptr& injector) { pass_to_root(self, order, injector); },
          [self](const v1::ActorStarted&, const caf::strong_actor_ptr& root) { on_root(self, root); }};
}

} // namespace

root_relay_actor spawn_root_relay(caf::actor_system& system, const root_actor& root) {
  return system.spawn(root_relay, root);
}

} // namespace troupe
