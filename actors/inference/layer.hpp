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
  std::shared_ptr<const model_parts> model; // For layers[index].
  std::string next;                         // Path of the next layer, or of the output.
  directory_actor directory;
};

/// One transformer layer, pre-norm ("Attention Is All You Need" §3.1 with the norm moved to the front):
///
///   x += output_projection(attention(norm(x)));  x += down(act(up(norm(x))))
///
/// It does the norms and the residual sums itself and asks its attention heads and projection shards for the rest, in
/// four rounds (heads, attention output, feed-forward inner, feed-forward outer): one request to all of them, one shared
/// message, and their answers. x stays here.
///
/// Retry     one step at a time; a newer one replaces it, older ones are dropped, repeated answers are ignored.
/// Restart   loses the step it had; the stage before it reports that to the scheduler (next_stage in stage.hpp).
/// Faults    to the scheduler: CACHE_MISS (all heads' misses merged), NON_FINITE and BAD_SHAPE with the path of the head or
///           shard whose answer it was.
struct layer_state {
  static inline const char* name = "layer";

  layer_config config;
  fan_out<attention_head_actor> heads{{}};
  fan_out<projection_shard_actor> shards{{}};
  next_stage next{""};
  scheduler_link scheduler;
  step_gate gate;

  struct step_under_way {
    v1::StepPlan plan;
    uint32_t rows = 0;
    v1::StepTimes times;
    float_field residual;                   // x: [rows, width]
    std::optional<pooled_message<v1::ProjectStep>> upcoming; // The next round's request, filled as this round's answers arrive.
    v1::Projection round = v1::PROJECTION_UNSPECIFIED; // The shards' round under way; UNSPECIFIED: the heads' round.
    std::map<uint64_t, uint32_t> misses;    // By sequence: the fewest positions any head holds.
  };
  std::optional<step_under_way> step;

  const layer_part& part() const { return *config.model->layers[config.index]; }
  const layer_spec& spec() const { return config.model->spec.layers[config.index]; }
  uint32_t width() const { return config.model->spec.width; }
  bool is_current(step_id id) const { return step && id_of(step->plan) == id; }
};

layer_actor::behavior_type layer(layer_actor::stateful_pointer<layer_state> self, layer_config config);

} // namespace troupe
