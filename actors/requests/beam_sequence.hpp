#pragma once
#include "actors/requests/sequence.hpp"
#include "model/decoding/beam_search.hpp"
#include <optional>
#include <set>
#include <vector>

namespace troupe {

/// One request under way whose tokens a beam search chooses. Its live branches are sequences of one group for the scheduler: a branch
/// that goes on keeps its id; what else continues the same branch is a fork of it, which begins in its caches. The search is the only
/// state that matters, and it is a function of the request.
///
/// Retry     logits that come again are answered with what the search chose; a branch that the scheduler does not seem to know joins
///           again.
/// Restart   not restarted: its client sends the request again, and the search begins anew, with the same result.
/// Damage    as a sequence.
/// Ends      after GenerateEnd, and when its client has ended.
struct beam_sequence_state {
  static inline const char* name = "beam_sequence";

  sequence_config config;
  v1::GenerateRequest request;
  caf::strong_actor_ptr client;
  scheduler_actor scheduler;
  std::optional<beam_search> search;
  struct branch {
    uint64_t id = 0;           // For the scheduler and the heads.
    std::vector<float> logits; // Of its last token; empty: not yet.
  };
  std::vector<branch> branches; // As search->live().
  uint32_t ids_used = 1;        // The first branch has the actor's id.
  uint32_t replica = 0;         // In which they run.
  uint32_t reused = 0;          // Positions of the prompt that heads held of an earlier sequence.
  uint32_t damaged = 0;         // How many times in a row logits were not as the output sent them,
  step_id damaged_step;         // and the newest step of those.
  bool joined_again = false;    // Those without logits, since the last time that all had theirs.
};

sequence_actor::behavior_type beam_sequence(sequence_actor::stateful_pointer<beam_sequence_state> self, sequence_config config,
                                            v1::GenerateRequest request, caf::strong_actor_ptr client);

} // namespace troupe
