#pragma once
// A whole troupe in one thread, in an order that a seed decides, with a client, and with everything that tests need to see
// and to disturb.
#include "actors/faults/injector.hpp"
#include "actors/interfaces/paths.hpp"
#include "actors/requests/request_tracker.hpp"
#include "actors/testing/interposer.hpp"
#include "actors/testing/message_info.hpp"
#include "actors/testing/outcome.hpp"
#include "actors/testing/simulation.hpp"
#include "actors/tree/root.hpp"
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace troupe::testing {

/// An actor of a simulated troupe, running or ended.
struct actor_record {
  std::string path;                 // As published; "client": the client.
  caf::actor_id id = 0;             // Of the actor itself.
  uint32_t incarnation = 1;         // At its path, from 1.
  bool alive = true;
  caf::weak_actor_ptr actor, proxy; // The same one, when the traffic is not observed.
  caf::actor_id known_as = 0;       // Of the proxy.

  std::string name() const {
    return incarnation == 1 ? path : path + " (incarnation " + std::to_string(incarnation) + ")";
  }
};

/// A message on its way. Its sender may be null (none, or an actor outside the troupe: the root).
struct message_record {
  const actor_record* from;
  const actor_record& to;
  message_info facts;
  caf::mailbox_element_ptr& element; // See interposer::policy.
};

/// Callbacks that observe a simulated troupe while it runs. All are optional.
struct observers {
  /// Decides what becomes of every message between two actors of the troupe and its client. Not seen: what the
  /// directory tells its subscribers, and timers. Without it there are no proxies between actors, and no message is seen.
  std::function<fate(message_record&)> traffic = {};
  std::function<void(const actor_record&)> started = {};
  std::function<void(const actor_record&, const caf::error& reason)> ended = {};
  std::function<void(const generation_event&)> event = {}; // As the client hands it out.
};

class simulated_troupe {
  // These outlive the simulation: actors that should have ended, and did not, are noted even while it is destroyed.
  observers watch_;
  std::unordered_map<caf::actor_id, std::unique_ptr<actor_record>> records_; // By the actor's own id.

public:
  simulation sim; // Before all that holds actors.

  /// `config.hook` may wrap starts, as in any troupe.
  simulated_troupe(uint64_t seed, troupe_config config, observers watch = {});
  /// Disturbed by a fault plan, as an engine would be; `watch.traffic` must be empty then.
  simulated_troupe(uint64_t seed, troupe_config config, std::shared_ptr<const v1::FaultPlan> plan, observers watch = {});
  ~simulated_troupe();

  request_tracker& tracker() { return *tracker_; }

  /// Runs until all requests of the tracker have finished; `between` is called before every step. False: it got stuck.
  template <class Between> bool run(Between between, size_t steps_max = 400'000) {
    for (size_t i = 0; i < steps_max && !tracker_->pending().empty(); ++i) {
      between();
      if (!step()) break;
    }
    receive();
    return tracker_->pending().empty();
  }
  bool run() {
    return run([] {});
  }

  /// One step of some actor, and now and then one of the client. False: there is nothing to do.
  bool step();

  /// Outcomes so far, by request.
  std::map<uint64_t, request_outcome> outcomes;

  /// The newest incarnation of every actor that was ever started, as others know it: by path, or path/id for sequences.
  std::map<std::string, caf::weak_actor_ptr> newest;

  /// How often each path was started; all sequences count as one.
  std::map<std::string, uint32_t> starts;

  caf::strong_actor_ptr find(const std::string& path);
  /// Ids by which others knew the earlier incarnations at that path.
  std::vector<caf::actor_id> former_handles(const std::string& path) const;
  const actor_record* find_record(const std::string& path) const; // The newest incarnation at that path.
  void kill(const caf::strong_actor_ptr& target, bool urgently);
  /// Ends the actor as if one of its handlers had thrown.
  void crash(const caf::strong_actor_ptr& target, const std::string& what);
  /// Tells the directory that this actor hangs, whether or not it does.
  void abandon(const std::string& path);
  void abandon(const std::string& path, caf::actor_id id);

  v1::SchedulerStats statistics();
  /// What the plan's injector has done so far.
  v1::FaultLog fault_log();
  /// The plan's injector does nothing more, and delivers what it has held back.
  void stop_faults();
  /// What the directory knows. Runs everything that can run without time passing.
  std::vector<std::string> listed_paths();
  /// The actors that have unread messages now.
  std::vector<std::string> unread();

  /// Stops everything. How many actors are left over.
  size_t close();

private:
  void start(troupe_config config);
  bool receive();
  void note_starts(child_spec& spec);
  caf::strong_actor_ptr add_proxy(actor_record& one, const caf::strong_actor_ptr& actor);
  caf::strong_actor_ptr known_as(const caf::strong_actor_ptr& actor);
  fate pass(const actor_record& to, caf::mailbox_element_ptr& element);

  caf::strong_actor_ptr client_proxy_;
  fault_injector_actor injector_;
  root_actor root_;
  std::unique_ptr<request_tracker> tracker_;
};

} // namespace troupe::testing
