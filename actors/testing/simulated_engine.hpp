#pragma once
// For tests of programs that embed troupe: an engine and its client whose whole troupe runs in the caller's thread, in an
// order that a seed decides, with injected faults. Code that takes its client as a template parameter runs here as it runs on
// troupe::client:
//
//   template <class Client> std::string ask(Client& client, const std::string& question) { ... client.submit ... }
//
//   const auto model = troupe::testing::make_tiny_parts();
//   for (const auto seed : troupe::testing::seeds(100)) {
//     troupe::testing::simulated_engine engine(model, seed);
//     auto client = engine.connect();
//     CHECK(ask(client, "What is an actor?") == expected);
//   }
#include "actors/testing/simulated_injector.hpp"
#include "actors/testing/simulated_troupe.hpp"
#include <deque>

namespace troupe::testing {

/// The weights of a tiny model, made up: two layers, two key/value heads, two shards, a vocabulary of 320 with a tokenizer,
/// a context of 64.
std::shared_ptr<const model_parts> make_tiny_parts();

class simulated_engine;

/// What troupe::client is to an engine, with the same names: see actors/engine.hpp. Time is virtual: nothing ever waits.
class simulated_client {
public:
  std::vector<uint32_t> encode(std::string_view text) const;
  uint64_t submit(generate_request request);
  std::optional<generation_event> next();
  /// The same: when this engine can do nothing more, waiting would not help.
  std::optional<generation_event> next(std::chrono::milliseconds) { return next(); }
  void cancel(uint64_t request);
  void cancel_all();
  size_t pending() const;
  uint64_t resubmitted() const;

private:
  friend class simulated_engine;
  explicit simulated_client(simulated_engine& engine) : engine_(&engine) {}
  simulated_engine* engine_;
};

/// Has one client; destroy the engine last.
class simulated_engine {
public:
  /// `schedule`: which faults are injected. The default is drawn from the seed; no_faults() has none.
  simulated_engine(std::shared_ptr<const model_parts> model, uint64_t seed);
  simulated_engine(std::shared_ptr<const model_parts> model, uint64_t seed, const fault_schedule& schedule,
                   trace_sink trace = {});
  /// Under a fault plan (actors/faults/plan.hpp reads one) in place of a fault schedule.
  simulated_engine(std::shared_ptr<const model_parts> model, uint64_t seed, v1::FaultPlan plan);
  simulated_client connect() { return simulated_client(*this); }

  /// From now on no fault is injected.
  void stop_faults() { injector_.end(); }
  const injection_counts& injected() const { return injector_.injected(); }
  /// Everything else that there is to see and to disturb.
  simulated_troupe& troupe() { return *troupe_; }
  /// Stops the troupe. How many actors are left over: none, or it is a bug.
  size_t close() { return troupe_->close(); }

private:
  friend class simulated_client;
  troupe_config config_of(const std::shared_ptr<const model_parts>& model);
  void begin(); // Of injections, and of taking events.

  std::shared_ptr<const model_parts> model_;
  std::shared_ptr<const tokenizer> words_;
  std::deque<generation_event> events_;
  simulated_injector injector_; // Outlives the troupe.
  std::unique_ptr<simulated_troupe> troupe_;
};

} // namespace troupe::testing
