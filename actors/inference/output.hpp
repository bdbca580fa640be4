#pragma once
#include "actors/inference/fan_out.hpp"
#include "actors/inference/stage.hpp"
#include "actors/interfaces/roles.hpp"
#include "messages/message_pool.hpp"
#include "model/parts.hpp"
#include <memory>
#include <optional>

namespace troupe {

struct output_config {
  std::string path;
  std::shared_ptr<const model_parts> model;
  directory_actor directory;
};

/// The last stage of the pipeline: the final norm, and the logits of the rows that want them (output_spec), which its shards
/// compute, each for a range of the columns; before that the output's transform in the same way, where there is one. Its
/// LogitsResult ends the step.
///
/// Retry, restart   as a layer.
/// Faults           NON_FINITE, BAD_SHAPE with the path of the shard whose answer it was.
struct output_state {
  static inline const char* name = "output";

  output_config config;
  fan_out<projection_shard_actor> shards{{}};
  scheduler_link scheduler;
  step_gate gate;

  struct step_under_way {
    uint32_t rows = 0; // Only those that want logits.
    v1::Projection round = v1::PROJECTION_UNSPECIFIED;          // Of the shards, that is under way.
    std::optional<pooled_message<v1::ProjectStep>> transformed; // The request for logits, while the transform's answers are put into it.
    pooled_message<v1::LogitsResult> result;
  };
  std::optional<step_under_way> step;

  const output_part& part() const { return config.model->output; }
  bool is_current(step_id id) const { return step && id_of(step->result->plan()) == id; }
};

output_actor::behavior_type output(output_actor::stateful_pointer<output_state> self, output_config config);

} // namespace troupe
