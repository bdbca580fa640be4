#pragma once
// Who plays which part right now: maps paths to handles, and tells subscribers about every replacement. Peers
// never keep a dead actor's handle, because the directory sends them the new one.
#include "messages/caf_message.hpp"
#include "troupe/v1/supervision.pb.h"

#include <caf/all.hpp>

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace troupe {

using directory_actor =
  caf::typed_actor<caf::reacts_to<v1::ActorStarted, caf::strong_actor_ptr>, // From supervisors.
                   caf::reacts_to<v1::SupervisorDecision>, // From supervisors; the latest are kept.
                   caf::reacts_to<v1::Subscribe, caf::strong_actor_ptr>, // The second is who subscribes.
                   caf::reacts_to<v1::AbandonActor>, // Passed on to the path's supervisor.
                   caf::reacts_to<v1::CheckLife>,
                   caf::replies_to<v1::ListActors>::with<v1::ActorList>>;

/// Whoever subscribes gets (ActorStarted, handle) messages: at once for known paths, then at every
/// replacement.
using subscriber_actor = caf::typed_actor<caf::reacts_to<v1::ActorStarted, caf::strong_actor_ptr>>;

/// Forgets subscribers and actors that ended: between the end of an actor and the start of its replacement
/// its path is unknown. Of several at one path the one published last plays the part, and when it ends the
/// one before it again: a supervisor that is about to die may publish children after those of its
/// replacement. Remembers the last 256 decisions. It does not keep subscribers alive. A supervisor is who
/// published a path last; AbandonActor goes to it (who knows whether the order is for this life), and nowhere when
/// the path is unknown. No message ends the directory, however wrong: there is one for all, and its knowledge comes
/// from messages that are sent once.
struct directory_state {
  static constexpr std::size_t decisions_max = 256;

  struct entry {
    packed<v1::ActorStarted, caf::strong_actor_ptr> news; // What subscribers get.
    caf::strong_actor_ptr actor;
    caf::weak_actor_ptr supervisor;
    uint32_t restarts = 0;
  };

  std::map<std::string, std::vector<entry>> entries;                   // By path; the last one counts.
  std::map<std::string, std::vector<caf::weak_actor_ptr>> subscribers; // By path, in order of subscription.
  std::set<caf::actor_addr> watched;                                   // Who of them is monitored: once each.
  std::deque<v1::SupervisorDecision> decisions;                        // Oldest first.
  uint64_t decisions_total = 0;

  static inline const char* name = "directory";
};

directory_actor::behavior_type directory(directory_actor::stateful_pointer<directory_state> self);
directory_actor spawn_directory(caf::actor_system& system);

} // namespace troupe
