#pragma once
#include "actors/inference/fan_out.hpp"
#include "actors/inference/stage.hpp"
#include "actors/interfaces/roles.hpp"
#include "messages/message_pool.hpp"
#include "model/parts.hpp"
#include <map>
#include <memory>
#include <optional>

namespace troupe {

struct layer_config {
  std::string path;
  uint32_t index = 0;
  std::shared_ptr<const model_parts> model; // For layers[index], or the encoder's.
  bool of_encoder = false;
  std::string next;                         // Path of the next layer; or of the output; of the encoder's last layer, of the embedding.
                                            // In a worker that of its layer host, which is its scheduler, too.
  directory_actor directory;
};

/// One transformer layer ("Attention Is All You Need" §3.1): attention, in a decoder cross-attention, feed-forward. Each block has a
/// residual sum and a norm, before or after it (norm_place):
///
///   x += output_projection(attention(norm(x)));  x += down(act(up(norm(x))))
///
/// It does the norms and the residual sums itself and asks its attention heads and projection shards for the rest, in rounds:
/// one request to all of them, one shared message, and their answers. x stays here. The encoder's result, which a step brings whose
/// sources are new, goes to the heads for cross-attention, and on to the next layer.
///
/// Retry     one step at a time; a newer one replaces it, older ones are dropped, repeated answers are ignored.
/// Restart   loses the step it had; the stage before it reports that to the scheduler (next_stage in stage.hpp).
/// Faults    to the scheduler: CACHE_MISS (all heads' misses merged), NON_FINITE and BAD_SHAPE with the path of the head or
///           shard whose answer it was.
struct layer_state {
  static inline const char* name = "layer";

  layer_config config;
  /// A round with the heads, with the heads for cross-attention, or with the shards.
  enum class round : uint8_t { attention, attention_output, cross_attention, cross_attention_output, inner, outer };
  struct missing { // Of one sequence.
    uint32_t positions = 0; // The fewest that any head holds.
    bool source = false;
  };

  fan_out<attention_head_actor> heads{{}}, cross_heads{{}};
  fan_out<projection_shard_actor> shards{{}};
  next_stage next{""};
  scheduler_link scheduler;
  step_gate gate;

  struct step_under_way {
    v1::StepPlan plan;
    uint32_t rows = 0;
    v1::StepTimes times;
    float_field residual;                   // x: [rows, width]
    float_field source_values;              // [source rows, width], behind an encoder.
    google::protobuf::RepeatedField<uint32_t> tokens; // Of the step, on their way through an encoder.
    std::optional<pooled_message<v1::ProjectStep>> upcoming; // The next round's request, filled as this round's answers arrive.
    round now = round::attention;
    std::map<uint64_t, missing> misses;     // By sequence.
  };
  std::optional<step_under_way> step;

  const layer_part& part() const { return *(config.of_encoder ? *config.model->encoder : *config.model).layers[config.index]; }
  const layer_spec& spec() const { return (config.of_encoder ? *config.model->spec.encoder : config.model->spec).layers[config.index]; }
  uint32_t width() const { return config.model->spec.width; }
  bool is_current(step_id id) const { return step && id_of(step->plan) == id; }
};

layer_actor::behavior_type layer(layer_actor::stateful_pointer<layer_state> self, layer_config config);

} // namespace troupe
