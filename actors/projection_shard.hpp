#pragma once
#include "actors/roles.hpp"
#include "actors/step.hpp"
#include "messages/draft.hpp"
#include "model/parts.hpp"
#include <memory>
#include <variant>

namespace troupe {

/// A cut of a layer's projections, or of the output's vocabulary.
using shard_part = std::variant<std::shared_ptr<const projection_shard_part>, std::shared_ptr<const output_shard_part>>;

struct projection_shard_config {
  uint32_t index = 0; // Among the owner's shards.
  shard_part part;
};

/// A projection shard: some output rows of its owner's matrices (a layer's, or the output's).
///
/// Answers   every ProjectStep with a ProjectResult to its sender.
/// Retry     stateless: the same request gives the same bits, any number of times.
/// Restart   loses nothing.
/// Throws    broken_invariant for a request it has no matrix for, or whose shape does not fit; wrong_bits when a product or the
///           auditor finds its weights wrong: it ends, and another answers.
struct projection_shard_state {
  static inline const char* name = "projection_shard";
  projection_shard_config config;
  step_gate gate;

  draft<v1::ProjectResult> project(const v1::ProjectStep& step);
};

projection_shard_actor::behavior_type
projection_shard(projection_shard_actor::stateful_pointer<projection_shard_state> self, projection_shard_config config);

} // namespace troupe
