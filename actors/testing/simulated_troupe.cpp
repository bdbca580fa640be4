#include "actors/testing/simulated_troupe.hpp"

namespace troupe::testing {

simulated_troupe::simulated_troupe(uint64_t seed, troupe_config config, observers watch)
    : simulated_troupe(seed, std::move(config), nullptr, std::move(watch)) {}

simulated_troupe::simulated_troupe(uint64_t seed, troupe_config config, std::shared_ptr<const v1::FaultPlan> plan,
                                   observers watch)
    : simulated_actors(seed, std::move(plan), std::move(watch)) {
  config.hook = hook(std::move(config.hook));
  set_root(spawn_root(sim.system(), std::move(config)));
  tracker_ = std::make_unique<request_tracker>(sim.system(), root());
}

v1::SchedulerStats simulated_troupe::statistics() {
  caf::scoped_actor self{sim.system()};
  v1::SchedulerStats result;
  auto request =
    self->request(caf::actor_cast<scheduler_actor>(find(paths::scheduler)), caf::infinite, v1::GetSchedulerStats{});
  sim.run_now();
  request.receive([&](const v1::SchedulerStats& stats) { result = stats; }, [](const caf::error&) {});
  return result;
}

bool simulated_troupe::receive() {
  bool any = false;
  while (tracker_->receive(std::chrono::milliseconds(0))) any = true;
  for (; !tracker_->events().empty(); tracker_->events().pop_front()) {
    const auto& event = tracker_->events().front();
    take(outcomes[event.request], event);
    if (on_event) on_event(event);
  }
  return any;
}

} // namespace troupe::testing
