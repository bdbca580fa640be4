#include "actors/testing/simulated_training.hpp"

namespace troupe::testing {

simulated_training::simulated_training(uint64_t seed, training_tree_config config, model_state first,
                                       std::shared_ptr<const v1::FaultPlan> plan, observers watch)
    : simulated_actors(seed, std::move(plan), std::move(watch)) {
  config.hook = hook(std::move(config.hook));
  set_root(spawn_training_root(sim.system(), std::move(config)));
  tracker_ = std::make_unique<run_tracker>(sim.system(), root(), std::move(first), 0);
}

bool simulated_training::receive() {
  bool any = false;
  while (tracker_->receive(std::chrono::milliseconds(0))) any = true;
  return any;
}

} // namespace troupe::testing
