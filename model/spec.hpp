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

/// How positions turn queries and keys. Learned and sinusoidal positions enter at the embedding instead.
enum class rope_kind : uint8_t {
  none,
  interleaved, // Pairs (2i, 2i+1): the original RoPE paper, llama in GGUF.
  half_split,  // Pairs (i, i + dimensions/2): GPT-NeoX, qwen.
};

/// YaRN (Peng et al. 2023, section 3): pairs that turn more than beta_fast times within the original context keep their frequency; those
/// that turn less than beta_slow times have it divided by `factor`; between them it is interpolated by the pair's number. What is turned
/// is also multiplied by `magnitude`.
struct yarn_spec {
  float factor = 1;
  uint32_t original_context = 0; // In positions.
  float beta_fast = 32, beta_slow = 1;
  float magnitude = 1;        // 1 + 0.1 ln(factor), unless a model says otherwise.
  bool has_whole_bounds = true; // The numbers of the two pairs that bound the range are rounded away from each other.
  bool operator==(const yarn_spec&) const = default;
};

/// Rotary positions (Su et al. 2021, eq. 34): pair i of a head turns by position * frequency(i),
/// frequency(i) = base^(-2i/dimensions), divided by scaling_factor, by factors[i] where given, and changed by YaRN.
struct rope_spec {
  rope_kind kind = rope_kind::none;
  uint32_t dimensions = 0;    // Leading elements of a head that turn; even.
  float base = 10000.0f;
  float scaling_factor = 1.0f; // Linear scaling: positions are divided by it.
  std::vector<float> factors;  // Per pair, [dimensions / 2], or empty (llama 3.1's rope_freqs).
  std::optional<yarn_spec> yarn = std::nullopt;
  bool operator==(const rope_spec&) const = default;
};

/// T5's relative positions (Raffel et al. 2020, §2.1): a learned number for each head and bucket of distances is added to the scores.
/// Half of the buckets hold one distance each, the others ranges that grow logarithmically up to distance_max, beyond which
/// all distances share the last one. Bidirectional: half of the buckets are for keys after the query.
struct relative_positions_spec {
  uint32_t buckets = 32, distance_max = 128;
  bool bidirectional = false;
  bool operator==(const relative_positions_spec&) const = default;
};

/// The bucket of a key at `distance` = its position minus the query's.
uint32_t relative_bucket(const relative_positions_spec& spec, int64_t distance);

/// Attention, "Attention Is All You Need" §3.2; grouped queries after Ainslie et al. 2023: query heads
/// [g * group, (g + 1) * group) share key/value head g, group = heads / kv_heads.
struct attention_spec {
  uint32_t heads = 0;
  uint32_t kv_heads = 0;
  uint32_t head_dim = 0; // Of queries, keys and values alike.
  bool causal = true;    // A row sees no later rows. False: every row sees all rows of its sequence.
  rope_spec rope;
  std::optional<relative_positions_spec> relative_positions;
  std::optional<norm_spec> query_key_norm; // qwen3: each head's query and key normalised before RoPE.
  float scale = 0;                         // Of q·k; 1/sqrt(head_dim) unless the family says otherwise.
  uint32_t group() const { return heads / kv_heads; }
};

enum class activation_kind : uint8_t { relu, gelu_tanh, gelu_erf, silu, tanh };

/// Plain: down(act(up(x))), §3.3.  Gated: down(act(gate(x)) * up(x)) (Shazeer 2020).
struct feed_forward_spec {
  bool gated = false;
  activation_kind activation = activation_kind::relu;
  uint32_t width = 0; // The inner width.
};

enum class norm_place : uint8_t {
  before, // x += block(norm(x)): pre-norm, Xiong et al. 2020.
  after,  // x = norm(x + block(x)): post-norm, "Attention Is All You Need" §3.1.
};

/// A layer: its blocks one after the other, each with a norm and a residual sum: attention within its own stack, attention to
/// the encoder's result where there is one (§3.2.3: cross-attention), feed-forward.
struct layer_spec {
  attention_spec attention;
  std::optional<attention_spec> cross_attention;
  feed_forward_spec feed_forward;
  norm_spec norm;
  norm_place norms = norm_place::before;
};

enum class position_kind : uint8_t {
  none,
  learned,    // A table: row position + position_offset.
  sinusoidal, // §3.5, sines at even elements, cosines at odd ones.
  sinusoidal_halves, // The same numbers, all sines first: marian.
};

/// Images in place of tokens (Dosovitskiy et al. 2021, §3.1): the rows of a sequence are the class token, and behind it the patches of one
/// image from left to right, then from top to bottom. A patch enters as W patch + bias, a convolution whose stride is its size; what is left
/// at the right and the bottom, where patches do not fit, does not count. Pixels are [channels, height, width], prepared as the model
/// wants them (model/images/preparation.hpp).
struct image_spec {
  uint32_t channels = 0, height = 0, width = 0;
  uint32_t patch_height = 0, patch_width = 0;

  uint64_t elements() const { return uint64_t(channels) * height * width; }
  uint32_t patch_elements() const { return channels * patch_height * patch_width; }
  uint32_t patches() const { return (height / patch_height) * (width / patch_width); }
  uint32_t rows() const { return 1 + patches(); }
};

/// Sound in place of tokens (Radford et al. 2022, §2.2): log-mel features [bins, frames] (model/audio/log_mel.hpp) enter by two
/// convolutions over time, of three frames each, in which what lies beyond the ends is 0: x = gelu(W2 gelu(W1 features + bias1) + bias2). The second one
/// has a stride of 2, so that two frames become one row.
struct audio_spec {
  uint32_t bins = 0, frames = 0;

  uint64_t elements() const { return uint64_t(bins) * frames; }
  uint32_t rows() const { return frames / 2 + frames % 2; }
};

/// x = norm(scale * table[token] + positions[position] + segments[segment]); of an image, table[0] is the class token, and for the other
/// rows the patch is in the table's place; of sound there is no table.
struct embedding_spec {
  float scale = 1; // sqrt(width) in §3.4.
  position_kind positions = position_kind::none;
  uint32_t position_offset = 0; // Rows of a table of learned positions before position 0's: bart.
  uint32_t segments = 0;        // Rows of the table of segments (bert's token types); 0: none.
  std::optional<image_spec> image; // Then the vocabulary is the class token.
  std::optional<audio_spec> audio; // Of an encoder.
  std::optional<norm_spec> norm;
};

/// Layers one above the other, with what turns tokens into the rows that enter the first.
struct stack_spec {
  embedding_spec embedding;
  uint32_t context_length = 0; // Positions the stack was made for; a sequence never grows beyond.
  std::vector<layer_spec> layers;
  std::optional<norm_spec> final_norm;
};

/// What a model ends in. logits = W transform(scale * x) + bias.
struct output_spec {
  enum class result : uint8_t {
    tokens,        // The vocabulary: the next token, or the masked one.
    labels,        // Classes of a whole sequence.
    spans,         // Two columns: how well a row begins an answer, and how well it ends one.
    hidden_states, // No matrix: the rows that leave the last layer.
  };
  /// norm(act(W x + bias)): what bert's heads do to a row first. `norm` is absent in poolers.
  struct transform_spec {
    activation_kind activation = activation_kind::tanh;
    std::optional<norm_spec> norm;
  };
  result kind = result::tokens;
  uint32_t columns = 0;      // Of a row of results: the size of the vocabulary, or how many labels, or 2, or the width.
  bool of_first_row = false; // There is one result for each sequence, from its first row; else one for each row.
  float scale = 1;           // T5, where output and embedding are tied: 1/sqrt(width).
  std::optional<transform_spec> transform;
  std::vector<std::string> labels; // [columns], where they have names.
};

/// A model: the stack that its tokens pass, an encoder before it or none, and its output. Without an encoder, the layers have no
/// cross-attention. gpt and llama are one stack with causal attention, bert is one without; marian, bart and t5 have an encoder
/// of their own for the source text, and the stack is the decoder.
struct model_spec : stack_spec {
  std::string architecture; // As the file says it: "llama". For people; no code decides by it.
  std::string name;
  uint32_t vocabulary = 0;
  uint32_t width = 0; // Of the hidden states, in both stacks.
  std::optional<stack_spec> encoder;
  output_spec output;
  uint32_t start_token = 0; // With an encoder: what the decoder begins with.

  /// Where what a request is about enters: text, or features in place of it.
  const embedding_spec& input() const { return encoder ? encoder->embedding : embedding; }
  /// How many numbers a request brings along in place of tokens; 0: none.
  uint64_t feature_elements() const { return input().image ? input().image->elements() : input().audio ? input().audio->elements() : 0; }
  /// Whether a row sees later rows of its own stack, so that all rows of a sequence must be computed together.
  bool needs_whole_sequences() const { return !layers.empty() && !layers.front().attention.causal; }
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
  std::optional<stored_tensor> relative_positions;  // [buckets, heads]; the same one in all layers of a stack.
};

struct feed_forward_tensors {
  std::optional<projection_tensors> gate; // [feed_forward.width, width], when gated.
  projection_tensors up;                  // [feed_forward.width, width]
  projection_tensors down;                // [width, feed_forward.width]
};

struct layer_tensors {
  norm_tensors attention_norm, feed_forward_norm;
  attention_tensors attention;
  std::optional<norm_tensors> cross_attention_norm;
  std::optional<attention_tensors> cross_attention;
  feed_forward_tensors feed_forward;
};

struct stack_tensors {
  stored_tensor embedding;                // [vocabulary, width]; unused where the rows are of sound.
  std::optional<projection_tensors> patches; // [width, patch_elements] and a bias, where the rows are of an image.
  std::vector<projection_tensors> convolutions; // [width, 3 * bins] and [width, 3 * width] with biases, where the rows are of sound.
  std::optional<stored_tensor> positions; // [position_offset + context_length, width], learned.
  std::optional<stored_tensor> segments;  // [segments, width]
  std::optional<norm_tensors> embedding_norm;
  std::vector<layer_tensors> layers;
  std::optional<norm_tensors> final_norm;
};

/// Every tensor of a model by its role. Shares the model's files.
struct model_tensors : stack_tensors {
  std::optional<stack_tensors> encoder;
  std::optional<projection_tensors> output_transform; // [width, width]
  std::optional<norm_tensors> output_transform_norm;
  projection_tensors output; // [output.columns, width]; the embedding itself where tied; unused where the result is hidden states.
};

} // namespace troupe
