#pragma once
// Runs real actors in one thread, in an order that a seed decides: the same seed, the same run, to the
// message.
#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace troupe::testing {

/// Seeds 1 to `count` (or to TROUPE_SEEDS from the environment, for a long hunt), or only the one that
/// TROUPE_SEED names. Print the seed with INFO: it replays the failure.
inline std::vector<std::uint64_t> seeds(std::uint64_t count) {
  if (const char* only = std::getenv("TROUPE_SEED"))
    return {std::strtoull(only, nullptr, 0)};
  if (const char* more = std::getenv("TROUPE_SEEDS"))
    count = std::strtoull(more, nullptr, 0);
  std::vector<std::uint64_t> result;
  for (std::uint64_t seed = 1; seed <= count; ++seed)
    result.push_back(seed);
  return result;
}

/// An actor system whose jobs wait until step() chooses one, and whose clock stands still until nothing else
/// is left to do (or, with `early_timers`, now and then before that). All randomness comes from `draw`.
///
/// Limits: no detached or blocking actors. A caf::scoped_actor works in the order send, run_to_idle(),
/// receive. Actors take the time from their clock(), and no decision of theirs may depend on addresses or
/// hash order. At the end stop all actors, drop the handles and run_to_idle(): else the destructor waits for
/// ever.
class simulation {
public:
  explicit simulation(std::uint64_t seed)
    : random_(seed), system_(configured(config_)), jobs_(coordinator(system_)) {}

  caf::actor_system& system() { return system_; }
  caf::actor_clock::time_point now() { return jobs_.clock().now(); }

  /// 0 <= result < n, for n >= 1. Not a std distribution: those differ between libraries.
  std::uint64_t draw(std::uint64_t n) { return n < 2 ? 0 : random_() % n; }

  /// Of a thousand steps, in how many a timer fires although there is work: timeouts race messages.
  void early_timers(unsigned permille) { early_timers_ = permille; }

  /// Runs one message of one actor, or fires the next timer. False: there is neither.
  bool step() {
    const bool timer = jobs_.has_pending_timeout();
    if (jobs_.jobs.empty() && !timer)
      return false;
    if (jobs_.jobs.empty() || (timer && draw(1000) < early_timers_)) {
      note(~std::uint64_t{0});
      jobs_.trigger_timeout();
      return true;
    }
    run_any();
    return true;
  }

  /// Runs messages until none is left; no time passes.
  void run_now() {
    while (!jobs_.jobs.empty())
      run_any();
  }

  /// Moves the clock on all at once: whatever becomes due meanwhile is late.
  void jump(caf::timespan span) { jobs_.advance_time(span); }

  /// Lets time pass, running what becomes due at its time and all that follows from it.
  void run_for(caf::timespan span) {
    run_now();
    const auto end = now() + span;
    while (now() < end) {
      // In small steps, since the clock does not say when its next timer is due.
      jobs_.advance_time(std::min<caf::timespan>(std::chrono::milliseconds(1), end - now()));
      run_now();
    }
  }

  /// Steps until `done()`. False: the limit was reached (a livelock?) or nothing was left to do before it
  /// was.
  template <class Predicate>
  bool run_until(Predicate done, std::size_t steps_max = 1'000'000) {
    for (std::size_t i = 0; i < steps_max; ++i) {
      if (done())
        return true;
      if (!step())
        return done();
    }
    return false;
  }

  /// Steps until there is no message and no timer. False: the limit was reached.
  bool run_to_idle(std::size_t steps_max = 1'000'000) {
    for (std::size_t i = 0; i < steps_max; ++i)
      if (!step())
        return true;
    return false;
  }

  /// Equal for equal runs.
  std::uint64_t fingerprint() const { return hash_; }

  std::size_t actors_running() { return system_.registry().running(); }

private:
  static caf::actor_system_config& configured(caf::actor_system_config& config) {
    config.set("scheduler.policy", caf::atom("testing"));
    return config;
  }

  static caf::scheduler::test_coordinator& coordinator(caf::actor_system& system) {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
  }

  void run_any() {
    auto& jobs = jobs_.jobs;
    std::swap(jobs.front(), jobs[draw(jobs.size())]);
    if (auto* actor = dynamic_cast<caf::abstract_actor*>(jobs.front()))
      note(actor->id());
    jobs_.run_once();
  }

  void note(std::uint64_t what) { hash_ = (hash_ ^ what) * 0x100000001b3ull; }

  std::mt19937_64 random_;
  unsigned early_timers_ = 0;
  std::uint64_t hash_ = 0xcbf29ce484222325ull;
  caf::actor_system_config config_;
  caf::actor_system system_;
  caf::scheduler::test_coordinator& jobs_;
};

} // namespace troupe::testing
