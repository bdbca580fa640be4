#pragma once
#include "actors/interfaces/roles.hpp"
#include "actors/interfaces/step.hpp"
#include "messages/message_pool.hpp"
#include "model/parts.hpp"
#include <memory>
#include <variant>

namespace troupe {

/// The weights and maths (model/parts.hpp) of one shard: of a layer's projections, or of the output's.
using shard_part = std::variant<std::shared_ptr<const projection_shard_part>, std::shared_ptr<const output_shard_part>>;

struct projection_shard_config {
  uint32_t index = 0; // Among the shards of its layer, or of the output.
  shard_part part;
};

/// A projection shard: computes some output columns of the projections of a layer, or of the output, with its rows of their
/// weight matrices (tensor parallelism).
///
/// Answers   every ProjectStep with a ProjectResult to its sender: the values, or that it got no memory for them.
/// Retry     stateless: the same request gives the same bits, any number of times.
/// Restart   loses nothing.
/// Throws    broken_invariant for a request it has no matrix for, or whose shape does not fit; wrong_bits when the check of a
///           product or the scrubber finds its weights wrong: it ends, and its supervisor starts another.
struct projection_shard_state {
  static inline const char* name = "projection_shard";
  projection_shard_config config;
  step_gate gate;

  pooled_message<v1::ProjectResult> answer_to(const v1::ProjectStep& step) const; // Without values.
  pooled_message<v1::ProjectResult> project(const v1::ProjectStep& step);
};

projection_shard_actor::behavior_type
projection_shard(projection_shard_actor::stateful_pointer<projection_shard_state> self, projection_shard_config config);

} // namespace troupe
