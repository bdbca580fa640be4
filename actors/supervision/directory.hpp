#pragma once
// Which actor is at which path right now, as in Erlang's registry: maps paths to handles, and tells subscribers about every
// replacement. Peers never keep a dead actor's handle, because the directory sends them the new one.
#include "actors/interfaces/log.hpp"
#include "actors/interfaces/supervision.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace troupe {

/// An actor that a supervisor has published at a path is a holder of that path. Several actors may hold one path: a supervisor
/// that is about to end may publish children after those of its replacement. The holder published last counts: subscribers and
/// ListActors get that one, and when it ends the one before it.
///
/// Cost: O(log n) for each path that a message, or the end of an actor, is about; telling takes as long as there are subscribers.
///
/// Forgets subscribers and holders that ended: between the end of an actor and the start of its replacement its path is
/// unknown. Does not keep subscribers alive. Remembers the last 256 decisions. AbandonActor goes to the supervisor that
/// published the path's last holder (which knows whether the order is about that actor or about an earlier one), and nowhere
/// when the path is unknown.
///
/// Retry     publishing or subscribing again is harmless.
/// Restart   the new one knows nothing; the root restarts everything else with it (actors/tree/root.hpp).
/// Throws    nothing: no message ends the directory, however wrong, because there is one for all, and what it knows comes from
///           messages that are sent once.
struct directory_state {
  static constexpr std::size_t decisions_max = 256;

  struct holder {
    packed<v1::ActorStarted, caf::strong_actor_ptr> news; // What subscribers get.
    caf::strong_actor_ptr actor;
    caf::weak_actor_ptr supervisor;
    uint32_t restarts = 0;
  };

  std::map<std::string, std::vector<holder>> entries;            // By path, in order of publication.
  std::map<std::string, std::set<caf::actor_addr>> subscribers;  // By path, in order of their ids.
  std::map<caf::actor_addr, std::set<std::string>> paths_of;     // Of every holder and subscriber: what to forget when it ends.
  std::deque<v1::SupervisorDecision> decisions;                        // Oldest first.
  uint64_t decisions_total = 0;

  static inline const char* name = "directory";
};

/// log: gets every decision as a line.
directory_actor::behavior_type directory(directory_actor::stateful_pointer<directory_state> self, const log_function& log);
directory_actor spawn_directory(caf::actor_system& system);

/// Asks the directory for these actors, now and whenever they are replaced.
template <class Self>
void subscribe(Self* self, const directory_actor& directory, const std::vector<std::string>& paths) {
  v1::Subscribe request;
  for (const auto& path : paths) request.add_paths(path);
  self->send(directory, std::move(request), caf::strong_actor_ptr(self->ctrl()));
}

} // namespace troupe
