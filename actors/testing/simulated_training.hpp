#pragma once
// A whole training run in simulation, with its client.
#include "actors/testing/simulated_actors.hpp"
#include "actors/training/run_tracker.hpp"
#include "actors/tree/training_tree.hpp"
#include <optional>

namespace troupe::testing {

class simulated_training : public simulated_actors {
public:
  /// `first`: of every owner, after no update. `config.hook` may wrap starts, as in any run. `plan`: a fault plan; may be null.
  simulated_training(uint64_t seed, training_tree_config config, model_state first,
                     std::shared_ptr<const v1::FaultPlan> plan = nullptr, observers watch = {});
  ~simulated_training() override { close_if_open(); }

  run_tracker& tracker() { return *tracker_; }

  /// Runs until the report of the tracker's order is there; `between` is called before every step. Nothing: it got stuck.
  template <class Between> std::optional<v1::StepReport> run(Between between, size_t steps_max = 2'000'000) {
    for (size_t i = 0; i < steps_max; ++i) {
      if (auto report = tracker_->take_report()) return report;
      between();
      if (!step()) break;
    }
    return tracker_->take_report();
  }
  std::optional<v1::StepReport> run() {
    return run([] {});
  }

private:
  bool receive() override;
  void end_client() override { tracker_.reset(); }

  std::unique_ptr<run_tracker> tracker_;
};

} // namespace troupe::testing
