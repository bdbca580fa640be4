#pragma once
// What every engine runs in: an actor system with worker threads of our own and all message types, or that of a program which has one;
// perhaps a fault injector.
#include "actors/cluster/keys.hpp"
#include "actors/interfaces/supervision.hpp"
#include "actors/supervision/child_spec.hpp"
#include "actors/threads/workers.hpp"
#include "troupe/v1/faults.pb.h"
#include <caf/all.hpp>
#include <functional>
#include <memory>
#include <vector>

namespace troupe {

class runtime {
public:
  /// `network`: not null for an actor system that has links to others (actors/cluster/network.hpp), with these keys. `plan` may be
  /// null: then there is no injector, and no proxy stands between actors. Throws input_error for a plan that cannot be carried out, and
  /// for an instruction set (TROUPE_ISA) that is not available.
  runtime(const workers_options& workers, std::shared_ptr<const v1::FaultPlan> plan, const node_keys* network = nullptr);
  /// In an actor system of somebody else, which outlives this.
  runtime(caf::actor_system& host, std::shared_ptr<const v1::FaultPlan> plan);
  ~runtime();
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  caf::actor_system& system();
  /// For all actors below the root.
  child_hook hook() const;
  /// The root that stop() is to end.
  void set_root(root_actor root);
  const root_actor& root() const;
  /// Runs every job in an actor of its own, so that they share the worker threads; waits for all. Throws what one of them
  /// threw.
  void run_jobs(std::vector<std::function<void()>> jobs);

  /// What the plan has done so far. Empty without one.
  v1::FaultLog fault_log();
  /// From now on no fault of the plan is injected.
  void stop_faults();
  /// From now on the faults of this plan are injected, or none if it is null: the root starts all actors below it again. Throws as the
  /// constructor does, and then nothing has changed. Returns the former injector, which injects nothing more and is to be ended when the
  /// actors that it stood between are gone; it may be null.
  caf::strong_actor_ptr use_plan(std::shared_ptr<const v1::FaultPlan> plan);
  void end_injector(const caf::strong_actor_ptr& injector);
  /// Ends the root, then the injector, in order. Returns how many actors did not end: anything but 0 is a bug. Gives up waiting when no
  /// actor has ended for five seconds, and two seconds after the root has; so it takes a bounded time whatever happened before, and
  /// the destructor, which calls it, as well. What did not end keeps its memory and its threads until the process ends.
  size_t stop();

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace troupe
