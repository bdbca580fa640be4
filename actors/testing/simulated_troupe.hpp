#pragma once
// A whole troupe that serves requests, in simulation, with a client.
#include "actors/requests/request_tracker.hpp"
#include "actors/testing/outcome.hpp"
#include "actors/testing/simulated_actors.hpp"
#include "actors/tree/root.hpp"

namespace troupe::testing {

class simulated_troupe : public simulated_actors {
public:
  /// `config.hook` may wrap starts, as in any troupe.
  simulated_troupe(uint64_t seed, troupe_config config, observers watch = {});
  /// Disturbed by a fault plan, which may be null.
  simulated_troupe(uint64_t seed, troupe_config config, std::shared_ptr<const v1::FaultPlan> plan, observers watch = {});
  ~simulated_troupe() override { close_if_open(); }

  request_tracker& tracker() { return *tracker_; }

  /// Runs until all requests of the tracker have finished; `between` is called before every step. False: it got stuck.
  template <class Between> bool run(Between between, size_t steps_max = 400'000) {
    for (size_t i = 0; i < steps_max && tracker_->pending_count() > 0; ++i) {
      between();
      if (!step()) break;
    }
    receive();
    return tracker_->pending_count() == 0;
  }
  bool run() {
    return run([] {});
  }

  /// Outcomes so far, by request.
  std::map<uint64_t, request_outcome> outcomes;
  /// Called with every event as the client hands it out.
  std::function<void(const generation_event&)> on_event = {};

  v1::SchedulerStats statistics();

private:
  bool receive() override;
  void end_client() override { tracker_.reset(); }

  std::unique_ptr<request_tracker> tracker_;
};

} // namespace troupe::testing
