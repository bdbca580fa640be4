#pragma once
// What a transformer is made of, as data. A family (model/families) turns a published configuration and its tensor names
// into a model_spec and model_tensors; nothing else in troupe knows a family's name.
#include "model/stored_tensor.hpp"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

enum class norm_kind : uint8_t { rms, layer };

/// RMS: x / sqrt(mean(x²) + epsilon) * weight.  Layer: (x - mean) / sqrt(variance + epsilon) * weight + bias.
struct norm_spec {
  norm_kind kind = norm_kind::rms;
  float epsilon = 1e-5f;
};

/// How positions enter the attention. Learned and sinusoidal positions enter at the embedding instead.
enum class rope_kind : uint8_t {
  none,
  interleaved, // Pairs (2i, 2i+1): the original RoPE paper, llama in GGUF.
  half_split,  // Pairs (i, i + dimensions/2): GPT-NeoX, qwen.
};

/// Rotary positions (Su et al. 2021, eq. 34): pair i of a head turns by position * frequency(i),
/// frequency(i) = base^(-2i/dimensions), divided by scaling_factor, and by factors[i] where given.
struct rope_spec {
  rope_kind kind = rope_kind::none;
  uint32_t dimensions = 0;    // Leading elements of a head that turn; even.
  float base = 10000.0f;
  float scaling_factor = 1.0f; // Linear scaling: positions are divided by it.
  std::vector<float> factors;  // Per pair, [dimensions / 2], or empty (llama 3.1's rope_freqs).
  bool operator==(const rope_spec&) const = default;
};

/// Attention, "Attention Is All You Need" §3.2; grouped queries after Ainslie et al. 2023: query heads
/// [g * group, (g + 1) * group) share key/value head g, group = heads / kv_heads.
struct attention_spec {
  uint32_t heads = 0;
  uint32_t kv_heads = 0;
  uint32_t head_dim = 0; // Of queries, keys and values alike.
  bool causal = true;
  rope_spec rope;
  std::optional<norm_spec> query_key_norm; // qwen3: each head's query and key normalised before RoPE.
  float scale = 0;                         // Of q·k; 1/sqrt(head_dim) unless the family says otherwise.
  uint32_t group() const { return heads / kv_heads; }
};

enum class activation_kind : uint8_t { relu, gelu_tanh, gelu_erf, silu };

/// Plain: down(act(up(x))), §3.3.  Gated: down(act(gate(x)) * up(x)) (Shazeer 2020).
struct feed_forward_spec {
  bool gated = false;
  activation_kind activation = activation_kind::relu;
  uint32_t width = 0; // The inner width.
};

/// A decoder-only layer, pre-norm: x += attention(norm(x)); x += feed_forward(norm(x)).
struct layer_spec {
  attention_spec attention;
  feed_forward_spec feed_forward;
  norm_spec norm;
};

struct model_spec {
  std::string architecture; // As the file says it: "llama". For people; no code decides by it.
  std::string name;
  uint32_t vocabulary = 0;
  uint32_t width = 0;            // Of the hidden states.
  uint32_t context_length = 0;   // Positions the model was made for; a sequence never grows beyond.
  bool learned_positions = false;
  std::vector<layer_spec> layers;
  norm_spec final_norm;
};

/// weight: [outputs, inputs]; bias: [1, outputs].
struct projection_tensors {
  stored_tensor weight;
  std::optional<stored_tensor> bias;
};

struct norm_tensors {
  stored_tensor weight; // [1, width]
  std::optional<stored_tensor> bias;
};

struct attention_tensors {
  projection_tensors query;  // [heads * head_dim, width]
  projection_tensors key;    // [kv_heads * head_dim, width]
  projection_tensors value;  // [kv_heads * head_dim, width]
  projection_tensors output; // [width, heads * head_dim]
  std::optional<norm_tensors> query_norm, key_norm; // [1, head_dim]
};

struct feed_forward_tensors {
  std::optional<projection_tensors> gate; // [feed_forward.width, width], when gated.
  projection_tensors up;                  // [feed_forward.width, width]
  projection_tensors down;                // [width, feed_forward.width]
};

struct layer_tensors {
  norm_tensors attention_norm, feed_forward_norm;
  attention_tensors attention;
  feed_forward_tensors feed_forward;
};

/// Every tensor of a model by its role. Shares the model's files.
struct model_tensors {
  stored_tensor embedding;                // [vocabulary, width]
  std::optional<stored_tensor> positions; // [context_length, width], learned.
  std::vector<layer_tensors> layers;
  norm_tensors final_norm;
  projection_tensors output;            // [vocabulary, width]; the embedding itself where tied.
};

} // namespace troupe
