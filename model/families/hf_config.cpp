#include "model/families/hf_config.hpp"
#include "model/formats/byte_reader.hpp"
#include <array>

namespace troupe {
namespace {

// Keys of published models; each changes what the model computes when it is neither null, false, 0 nor empty.
constexpr std::array<std::string_view, 20> must_be_off{
    "quantization_config",
    "compression_config",
    "num_experts",
    "num_local_experts",
    "n_routed_experts",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "logit_softcap",
    "use_qk_norm",
    "qk_layernorm",
    "no_rope_layers",
    "attention_chunk_size",
    "clip_qkv",
    "alibi",
    "is_decoder",
    "add_cross_attention",
    "parallel_attn",
    "use_parallel_residual",
    "attention_sinks",
    "scale_attn_by_inverse_layer_idx",
};

// Keys whose only supported value is true, and those whose only one is 1.
constexpr std::array<std::string_view, 2> must_be_true{"scale_attn_weights", "is_causal"};
constexpr std::array<std::string_view, 6> must_be_one{"partial_rotary_factor", "embedding_multiplier",
                                                      "residual_multiplier",   "attention_multiplier",
                                                      "logits_scaling",        "logit_scale"};

bool is_off(const json_node& value) {
  if (value.is_flag()) return !value.flag();
  if (value.is_array()) return value.size() == 0;
  if (value.is_object()) return value.members().empty();
  return value.is_text() ? value.text().empty() : value.number() == 0;
}

void refuse_sliding_window(const json_node& config) {
  // A folder without the switch uses the window that it states.
  if (const auto window = config.find("sliding_window");
      window && config.flag_or("use_sliding_window", true)) {
    window->fail("a sliding window is not supported");
  }
  if (const auto flag = config.find("use_sliding_window"); flag && flag->flag()) {
    flag->fail("a sliding window is not supported");
  }
  if (const auto types = config.find("layer_types")) {
    for (const json_node& type : types->elements()) {
      if (type.text() != "full_attention") type.fail_kind("\"full_attention\"");
    }
  }
}

/// Which members there are beside the type decides what the type means; their values are read with the rest.
void require_known_rope(const json_node& config) {
  const auto parameters = config.find("rope_parameters"), scaling = config.find("rope_scaling");
  if (parameters && scaling) scaling->fail("rope_parameters says the same; wanted one of them");
  for (const auto& found : {parameters, scaling}) {
    if (!found) continue;
    if (found->text_or("rope_type", found->text_or("type", "")) == "yarn") {
      found->require_only({"rope_type", "type", "rope_theta", "factor", "original_max_position_embeddings", "partial_rotary_factor",
                           "attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate"});
    } else {
      found->require_only({"rope_type", "type", "rope_theta", "factor", "low_freq_factor", "high_freq_factor",
                           "original_max_position_embeddings", "partial_rotary_factor"});
    }
    const auto partial = found->find("partial_rotary_factor");
    if (partial && partial->number() != 1) partial->fail_kind("1");
  }
}

} // namespace

void require_supported(const hf_source& source, bool has_encoder) {
  const json_node config = source.config();
  if (const auto found = config.find("is_encoder_decoder"); found && found->flag() != has_encoder)
    found->fail_kind(has_encoder ? "true" : "false");
  for (const auto key : must_be_off) {
    const auto found = config.find(key);
    if (found && !is_off(*found)) found->fail("is not supported");
  }
  for (const auto key : must_be_true) {
    const auto found = config.find(key);
    if (found && !found->flag()) found->fail_kind("true");
  }
  for (const auto key : must_be_one) {
    const auto found = config.find(key);
    if (found && found->number() != 1) found->fail_kind("1");
  }
  refuse_sliding_window(config);
  require_known_rope(config);
}

} // namespace troupe
