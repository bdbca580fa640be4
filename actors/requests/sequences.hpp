#pragma once
#include "actors/interfaces/supervision.hpp"
#include "actors/requests/sequence.hpp"
#include "actors/supervision/child_spec.hpp"
#include "actors/supervision/supervisor.hpp"

namespace troupe {

/// The supervisor of all sequences: starts one for every GenerateRequest (the second element is the client's handle) while
/// there are fewer than sequences_max. Other requests wait as records in its request_queue, in which they cost memory and nothing
/// else; each sequence that ends makes room for the next. Beyond waiting_bytes_max requests are refused: OVERLOADED. Sequences are
/// temporary children: one that ends is not started again by its supervisor, because only its client knows which tokens have arrived.
///
/// A request whose deadline passes while it waits ends with DEADLINE and is never started.
///
/// Retry     a request that comes twice while it waits, waits once, and is told so again. Else it gets two sequences; the client
///           cancels the one it does not need. A request that a sequence has served before is started at once: its client has waited
///           for it.
/// Restart   its sequences and its records end with it. Their clients, which keep all that a record holds, send their requests
///           again, and those that were admitted are not refused.
/// Cancel    a record is dropped at once, and all records of a client when that ends.
using sequences_actor = supervisor_actor::extend<caf::reacts_to<v1::GenerateRequest, caf::strong_actor_ptr>,
                                                 caf::reacts_to<v1::SequenceTick>, caf::reacts_to<v1::CancelRequest>>;

struct sequences_config {
  sequence_config each;
  uint32_t sequences_max = 0;     // That run at once.
  uint64_t waiting_bytes_max = 0; // Of all requests that wait.
  child_hook hook = {}; // Sees the supervisor's spec, and the sequences' as path "/sequences/*".
};

child_spec sequences_child(sequences_config config);

} // namespace troupe
