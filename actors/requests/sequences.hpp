#pragma once
#include "actors/interfaces/supervision.hpp"
#include "actors/requests/sequence.hpp"
#include "actors/supervision/child_spec.hpp"
#include "actors/supervision/supervisor.hpp"

namespace troupe {

/// The supervisor of all sequences: starts one for every GenerateRequest (the second element is the client's handle) while
/// there are fewer than sequences_max, and refuses the others with a reason. Sequences are temporary children: one that ends is
/// not started again by its supervisor, because only its client knows which tokens have arrived.
///
/// Retry     a request that comes twice gets two sequences; the client cancels the one it does not need.
/// Restart   its sequences end with it; their clients send their requests again.
using sequences_actor = supervisor_actor::extend<caf::reacts_to<v1::GenerateRequest, caf::strong_actor_ptr>>;

struct sequences_config {
  sequence_config each;
  uint32_t sequences_max = 0;
  child_hook hook = {}; // Sees the supervisor's spec, and the sequences' as path "/sequences/*".
};

child_spec sequences_child(sequences_config config);

} // namespace troupe
