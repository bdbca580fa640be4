#pragma once
// A whole troupe in one thread, in an order that a seed decides, with a client, and with everything that tests need to
// see and to strike.
#include "actors/client.hpp"
#include "actors/faults/injector.hpp"
#include "actors/paths.hpp"
#include "actors/root.hpp"
#include "actors/testing/interposer.hpp"
#include "actors/testing/letter.hpp"
#include "actors/testing/outcome.hpp"
#include "actors/testing/simulation.hpp"
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace troupe::testing {

/// An actor that plays a part in a simulated troupe, or did.
struct player {
  std::string path;         // As published; "client": the client.
  caf::actor_id id = 0;     // Of the actor itself.
  uint32_t life = 1;        // The how manieth at its path.
  bool alive = true;
  caf::weak_actor_ptr actor, stand_in; // The same one, when nobody looks at the traffic.
  caf::actor_id known_as = 0;          // Of the stand-in.

  std::string name() const { return life == 1 ? path : path + " (life " + std::to_string(life) + ")"; }
};

/// A message on its way. Its sender may be null (nobody, or an actor that is none of the troupe: the root).
struct letter {
  const player* from;
  const player& to;
  letter_facts facts;
  caf::mailbox_element_ptr& element; // See interposer::policy.
};

/// Who looks at a simulated troupe while it runs. All of it is optional.
struct observers {
  /// Decides what becomes of every message between two actors of the troupe and its client. Not seen: what the
  /// directory tells its subscribers, and timers. Without it nobody stands between actors, and letters go unseen.
  std::function<fate(letter&)> traffic = {};
  std::function<void(const player&)> started = {};
  std::function<void(const player&, const caf::error& reason)> ended = {};
  std::function<void(const generation_event&)> event = {}; // As the client hands it out.
};

class simulated_troupe {
  // These outlive the simulation: actors that should have ended, and did not, are noted even while it goes.
  observers watch_;
  std::unordered_map<caf::actor_id, std::unique_ptr<player>> players_; // By the actor's own id.

public:
  simulation sim; // Before all that holds actors.

  /// `config.hook` may wrap starts, as in any troupe.
  simulated_troupe(uint64_t seed, troupe_config config, observers watch = {});
  /// Disturbed by a fault plan, as an engine would be; nobody may look at its traffic then.
  simulated_troupe(uint64_t seed, troupe_config config, std::shared_ptr<const v1::FaultPlan> plan, observers watch = {});
  ~simulated_troupe();

  client_desk& desk() { return *desk_; }

  /// Runs until all requests of the desk have finished; `between` is called before every step. False: it got stuck.
  template <class Between> bool run(Between between, size_t steps_max = 400'000) {
    for (size_t i = 0; i < steps_max && !desk_->pending().empty(); ++i) {
      between();
      if (!step()) break;
    }
    receive();
    return desk_->pending().empty();
  }
  bool run() {
    return run([] {});
  }

  /// One step of some actor, and now and then one of the client. False: nobody has anything to do.
  bool step();

  /// Outcomes so far, by request.
  std::map<uint64_t, request_outcome> outcomes;

  /// Everyone that was ever started, newest life, as others know it: path, or path/id for sequences.
  std::map<std::string, caf::weak_actor_ptr> cast;

  /// How often each path was started; all sequences count as one.
  std::map<std::string, uint32_t> starts;

  caf::strong_actor_ptr find(const std::string& path);
  /// Ids by which others knew the earlier lives at that path.
  std::vector<caf::actor_id> former_handles(const std::string& path) const;
  const player* find_player(const std::string& path) const; // The newest life at that path.
  void kill(const caf::strong_actor_ptr& victim, bool urgently);
  /// Ends the actor as if one of its handlers had thrown.
  void crash(const caf::strong_actor_ptr& victim, const std::string& what);
  /// Somebody tells the directory that this actor hangs, whether or not it does.
  void abandon(const std::string& path);
  void abandon(const std::string& path, caf::actor_id who);

  v1::SchedulerStats statistics();
  /// What the plan's injector has done so far.
  v1::FaultLog fault_log();
  /// What the directory knows. Runs everything that can run without time passing.
  std::vector<std::string> listed_paths();
  /// Who has unread messages now.
  std::vector<std::string> unread();

  /// Stops everything. How many actors are left over.
  size_t close();

private:
  void start(troupe_config config);
  bool receive();
  void note_starts(child_spec& spec);
  caf::strong_actor_ptr enter(player& one, const caf::strong_actor_ptr& actor);
  caf::strong_actor_ptr known_as(const caf::strong_actor_ptr& actor);
  fate pass(const player& to, caf::mailbox_element_ptr& element);

  caf::strong_actor_ptr client_stand_in_;
  fault_injector_actor injector_;
  root_actor root_;
  std::unique_ptr<client_desk> desk_;
};

} // namespace troupe::testing
