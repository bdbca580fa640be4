#pragma once
// When a fault of a plan fires. Pure: the time and all randomness come from outside.
#include "actors/faults/plan.hpp"
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// All randomness of a plan: the same seed, the same draws, on every machine (the finaliser of SplitMix64, Steele et al. 2014).
class fault_rng {
public:
  explicit fault_rng(uint64_t seed) : state_(seed) {}
  uint64_t next();
  uint64_t below(uint64_t limit) { return next() % limit; } // limit >= 1
  double uniform() { return double(next() >> 11) * 0x1p-53; } // [0, 1)

private:
  uint64_t state_;
};

/// Some rows of a request that a message is about.
struct request_rows {
  uint64_t request = 0; // From 1 in order of arrival; 0: unknown.
  uint32_t first = 0, count = 0; // Positions.
};

/// A message on its way, as far as selectors and triggers look at it.
struct passing_message {
  std::string_view type; // Without package; empty: not one of ours.
  std::string_view from, to; // Paths; empty: outside the troupe.
  const std::vector<request_rows>& rows;
};

/// Decides when one fault fires.
class trigger_state {
public:
  explicit trigger_state(const v1::Fault& fault);

  const v1::Fault& fault() const { return *fault_; }

  /// It fires by the clock (and whenever an actor starts), not by messages.
  bool by_clock() const { return by_clock_; }

  /// Whether the message is one that the selector is about.
  bool fits(const passing_message& message) const;

  /// Counts a message that fits. True: now is the time. The caller that then injects the fault calls `injected`.
  bool is_due(const passing_message& message, double now_ms, bool was_other_injected, fault_rng& rng);
  /// The same for an opportunity without a message.
  bool is_due_by_clock(double now_ms, bool was_other_injected, fault_rng& rng);
  void injected(double now_ms);

  /// An actor was started at `path`; `again`: not for the first time.
  void actor_started(std::string_view path, bool again);

  /// The next opportunity by the clock after `now_ms`; nullopt: none.
  std::optional<double> next_chance_ms(double now_ms) const;

  uint64_t injections() const { return injections_; }
  /// Some actor or message fitted the selector.
  bool has_fitted() const { return has_fitted_; }

private:
  bool may_fire(double now_ms, bool was_other_injected, fault_rng& rng);
  uint64_t injections_max() const;

  const v1::Fault* fault_; // Of a plan that outlives this.
  bool by_clock_ = false;
  bool has_fitted_ = false, restart_seen_ = false;
  uint64_t fitting_ = 0, injections_ = 0, fitting_at_injection_ = 0;
  double injected_ms_ = 0;
};

} // namespace troupe
