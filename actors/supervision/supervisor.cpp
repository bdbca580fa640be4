#include "actors/supervision/supervisor.hpp"

#include "actors/supervision/supervisor_core.hpp"

#include <optional>

namespace troupe {
namespace {

struct supervisor_state {
  std::optional<supervisor_core> core;
  static inline const char* name = "supervisor";
};

supervisor_actor::behavior_type supervisor(supervisor_actor::stateful_pointer<supervisor_state> self,
                                           std::string path, supervisor_policy policy,
                                           std::vector<child_spec> children, directory_actor directory) {
  auto& core =
    self->state.core.emplace(self, std::move(path), policy, std::move(children), std::move(directory));
  core.take_over();
  core.start_all();
  return {[self](const v1::AbandonActor& order) { self->state.core->on_abandon(order); },
          [self](const v1::SupervisorTick& tick) { self->state.core->on_tick(tick); },
          [self](const v1::CheckLiveness& check) { self->state.core->on_liveness_check(check); },
          [self](const v1::LivenessReply& reply) { self->state.core->on_liveness_reply(reply); }};
}

} // namespace

supervisor_actor spawn_supervisor(caf::actor_system& system, std::string path, supervisor_policy policy,
                                  std::vector<child_spec> children, directory_actor directory) {
  return system.spawn(supervisor, std::move(path), policy, std::move(children), std::move(directory));
}

child_spec supervisor_child(std::string path, supervisor_policy policy, std::vector<child_spec> children,
                            directory_actor directory) {
  child_spec spec;
  spec.path = std::move(path);
  spec.shutdown_max = shutdown_max_of(children);
  spec.answers_liveness_checks = true;
  spec.start = [policy, children = std::move(children), directory = std::move(directory)](
                 caf::scheduled_actor* parent, const std::string& own_path, const caf::message&) {
    return caf::actor_cast<caf::strong_actor_ptr>(
      parent->spawn(supervisor, own_path, policy, children, directory));
  };
  return spec;
}

caf::timespan shutdown_max_of(const std::vector<child_spec>& children) {
  // Twice for each child: until the kill, and until it is given up; and some time for the messages. A
  // simple_one_for_one supervisor has one spec and stops all its children at once: the same sum.
  caf::timespan sum = std::chrono::milliseconds(200);
  for (const auto& child : children)
    sum += 2 * child.shutdown_max;
  return sum;
}

} // namespace troupe
