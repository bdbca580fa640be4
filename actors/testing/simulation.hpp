#pragma once
// Runs real actors in one thread, in an order that a seed decides: the same seed, the same run, to the
// message.
#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace troupe::testing {

/// Seeds 1 to `count` (or to TROUPE_SEEDS from the environment, for a long run), or only the one that
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
/// hash order. At the end stop all actors, drop the handles, run_to_idle(), and see that actors_running() is 0.
class simulation {
public:
  explicit simulation(std::uint64_t seed)
    : random_(seed), system_(configured(config_)), jobs_(coordinator(system_)) {}

  ~simulation() {
    // An actor that is left over is a bug that the test has seen; waiting for it would hide what else the test reports.
    if (actors_running() > 0)
      system_.await_actors_before_shutdown(false);
  }

  caf::actor_system& system() { return system_; }
  caf::actor_clock::time_point now() { return jobs_.clock().now(); }

  /// 0 <= result < n, for n >= 1. Not a std distribution: those differ between libraries.
  std::uint64_t draw(std::uint64_t n) { return n < 2 ? 0 : random_() % n; }

  /// Of a thousand steps, in how many a timer fires although there is work: timeouts race messages.
  void early_timers(unsigned permille) { early_timers_ = permille; }

  /// This actor does not run any more, whatever it is sent, not even a kill: it hangs. Until thaw(), when it goes on with
  /// all that has come meanwhile.
  void freeze(caf::actor_id actor) { frozen_.insert(actor); }
  void thaw(caf::actor_id actor) { frozen_.erase(actor); }
  void thaw_all() { frozen_.clear(); }
  bool is_frozen(caf::actor_id actor) const { return frozen_.contains(actor); }

  /// Lets time pass at once: all timers due by then fire, whatever work is left.
  void jump(caf::timespan span) {
    note(std::uint64_t(span.count()));
    jobs_.advance_time(span);
  }

  /// Runs one message of one actor, or fires the next timer. False: there is neither.
  bool step() {
    const bool timer = jobs_.has_pending_timeout();
    const bool work = can_run();
    if (!work && !timer)
      return false;
    if (!work || (timer && draw(1000) < early_timers_)) {
      note(~std::uint64_t{0});
      jobs_.trigger_timeout();
      return true;
    }
    run_any();
    return true;
  }

  /// Runs messages until none is left; no time passes.
  void run_now() {
    while (can_run())
      run_any();
  }

  /// Whether there is a message for an actor that is not frozen.
  bool can_run() const {
    if (frozen_.empty())
      return !jobs_.jobs.empty();
    return std::any_of(jobs_.jobs.begin(), jobs_.jobs.end(), [this](auto* job) { return !is_frozen(id_of(job)); });
  }

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

  static caf::actor_id id_of(caf::resumable* job) {
    const auto* actor = dynamic_cast<caf::abstract_actor*>(job);
    return actor ? actor->id() : caf::invalid_actor_id;
  }

  void run_any() {
    auto& jobs = jobs_.jobs;
    auto chosen = draw(jobs.size());
    while (!frozen_.empty() && is_frozen(id_of(jobs[chosen])))
      chosen = (chosen + 1) % jobs.size();
    std::swap(jobs.front(), jobs[chosen]);
    note(id_of(jobs.front()));
    jobs_.run_once();
  }

  void note(std::uint64_t what) { hash_ = (hash_ ^ what) * 0x100000001b3ull; }

  std::mt19937_64 random_;
  std::set<caf::actor_id> frozen_;
  unsigned early_timers_ = 0;
  std::uint64_t hash_ = 0xcbf29ce484222325ull;
  caf::actor_system_config config_;
  caf::actor_system system_;
  caf::scheduler::test_coordinator& jobs_;
};

} // namespace troupe::testing
