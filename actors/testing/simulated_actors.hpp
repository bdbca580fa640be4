#pragma once
// A tree of actors in one thread, in an order that a seed decides, with everything that tests need to see and to disturb. What the
// tree is for, and its client, are what derives from this: simulated_troupe serves requests, simulated_training trains.
#include "actors/faults/injector.hpp"
#include "actors/interfaces/paths.hpp"
#include "actors/interfaces/supervision.hpp"
#include "actors/supervision/child_spec.hpp"
#include "actors/testing/interposer.hpp"
#include "actors/testing/message_info.hpp"
#include "actors/testing/simulation.hpp"
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace troupe::testing {

/// An actor of a simulation, running or ended.
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

/// A message on its way. Its sender may be null (none, or an actor outside the simulation: the root).
struct message_record {
  const actor_record* from;
  const actor_record& to;
  message_info facts;
  caf::mailbox_element_ptr& element; // See interposer::policy.
};

/// Callbacks that observe simulated actors while they run. All are optional.
struct observers {
  /// Decides what becomes of every message between two actors of the tree and its client. Not seen: what the directory tells its
  /// subscribers, and timers. Without it there are no proxies between actors, and no message is seen.
  std::function<fate(message_record&)> traffic = {};
  std::function<void(const actor_record&)> started = {};
  std::function<void(const actor_record&, const caf::error& reason)> ended = {};
};

class simulated_actors {
  // These outlive the simulation: actors that should have ended, and did not, are noted even while it is destroyed.
  observers watch_;
  std::unordered_map<caf::actor_id, std::unique_ptr<actor_record>> records_; // By the actor's own id.

public:
  simulation sim; // Before all that holds actors.

  virtual ~simulated_actors() = default;

  /// One step of some actor, and now and then one of the client. False: there is nothing to do.
  bool step();

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

  /// What the plan's injector has done so far.
  v1::FaultLog fault_log();
  /// The plan's injector does nothing more, and delivers what it has held back.
  void stop_faults();
  /// What the directory knows. Runs everything that can run without time passing.
  std::vector<std::string> listed_paths();
  /// The actors that have unread messages now.
  std::vector<std::string> unread();

  /// Called while everything is stopped, when the tree has ended: ends what is beside it.
  std::function<void()> on_close = {};
  /// Stops everything. How many actors are left over.
  size_t close();

protected:
  /// `plan`: faults that are injected as an engine would inject them; may be null. With one, `watch.traffic` must be empty.
  simulated_actors(uint64_t seed, std::shared_ptr<const v1::FaultPlan> plan, observers watch);

  /// To be given to the tree, whose root is then given to set_root. `inner`: may wrap starts, as in any tree.
  child_hook hook(child_hook inner);
  void set_root(root_actor root) { root_ = std::move(root); }
  const root_actor& root() const { return root_; }
  /// For destructors: closes what has not been closed.
  void close_if_open();

  /// The client takes what has come for it. False: nothing had.
  virtual bool receive() = 0;
  /// The client ends: it is the first to do so.
  virtual void end_client() = 0;

private:
  void note_starts(child_spec& spec);
  caf::strong_actor_ptr add_proxy(actor_record& one, const caf::strong_actor_ptr& actor);
  caf::strong_actor_ptr known_as(const caf::strong_actor_ptr& actor);
  fate pass(const actor_record& to, caf::mailbox_element_ptr& element);

  caf::strong_actor_ptr client_proxy_;
  fault_injector_actor injector_;
  root_actor root_;
};

} // namespace troupe::testing
