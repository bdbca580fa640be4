#pragma once
#include "actors/sequence.hpp"
#include "actors/supervisor.hpp"

namespace troupe {

/// The supervisor of all sequences: starts one for every GenerateRequest (the second element is the client's handle) while
/// there are fewer than sequences_max, and refuses politely otherwise. Sequences are temporary: one that ends is not started
/// again by its supervisor, because only its client knows how far it was.
///
/// Restart   its sequences go with it; their clients send their requests again.
using sequences_actor = supervisor_actor::extend<caf::reacts_to<v1::GenerateRequest, caf::strong_actor_ptr>>;

struct sequences_config {
  sequence_config each;
  uint32_t sequences_max = 0;
  child_hook hook = {}; // Sees the supervisor's spec, and the sequences' as path "/sequences/*".
};

child_spec sequences_child(sequences_config config);

} // namespace troupe
