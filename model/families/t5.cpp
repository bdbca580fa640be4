// T5 (Raffel et al. 2020) and its version 1.1 (Shazeer 2020: gated feed-forwards, an output of its own): an encoder-decoder with RMS
// norms before the blocks, no biases, unscaled attention, and relative positions that all layers of a stack share.
#include "model/families/family.hpp"
#include "model/families/family_reader.hpp"
#include <cmath>

namespace troupe {
namespace {

using bias = tensor_lookup::bias;

// No table bounds the positions of T5; sequences of this length are still well behaved, and memory stays in proportion.
constexpr uint32_t t5_context_length = 4096;

struct t5_sizes {
  uint32_t width, heads, head_dim;
  feed_forward_spec feed_forward;
  norm_spec norm;
  relative_positions_spec positions;
};

/// "relu", "gated-gelu", ...; dense_act_fn repeats what follows from it.
feed_forward_spec read_t5_feed_forward(const hyperparameters& parameters) {
  const published_name key{"", "feed_forward_proj"};
  feed_forward_spec spec;
  spec.width = parameters.count({"", "d_ff"}, {1, 1 << 20});
  const auto text = parameters.text(key).value_or("relu");
  if (parameters.has(key)) parameters.require_text(key, {"relu", "gelu", "gated-gelu", "gated-silu", "gated-relu"});
  spec.gated = text.starts_with("gated-");
  // "gated-gelu" has always meant the tanh form, "gelu" by itself the exact one.
  spec.activation = text.ends_with("relu")   ? activation_kind::relu
                    : text.ends_with("silu") ? activation_kind::silu
                    : spec.gated             ? activation_kind::gelu_tanh
                                             : activation_kind::gelu_erf;
  return spec;
}

attention_tensors read_t5_attention(tensor_lookup& tensors, const std::string& at, const t5_sizes& sizes) {
  const uint64_t inner = uint64_t(sizes.heads) * sizes.head_dim;
  attention_tensors of;
  of.query = tensors.projection({"", at + "q"}, inner, sizes.width, bias::none);
  of.key = tensors.projection({"", at + "k"}, inner, sizes.width, bias::none);
  of.value = tensors.projection({"", at + "v"}, inner, sizes.width, bias::none);
  of.output = tensors.projection({"", at + "o"}, sizes.width, inner, bias::none);
  return of;
}

attention_spec t5_attention(const t5_sizes& sizes, bool causal) {
  attention_spec spec;
  spec.heads = spec.kv_heads = sizes.heads;
  spec.head_dim = sizes.head_dim;
  spec.causal = causal;
  spec.scale = 1; // Its initial weights make up for it.
  return spec;
}

feed_forward_tensors read_t5_feed_forward(tensor_lookup& tensors, const std::string& at, const t5_sizes& sizes) {
  const uint32_t inner = sizes.feed_forward.width;
  const std::string dense = at + "DenseReluDense.";
  feed_forward_tensors of;
  if (sizes.feed_forward.gated) of.gate = tensors.projection({"", dense + "wi_0"}, inner, sizes.width, bias::none);
  of.up = tensors.projection({"", dense + (sizes.feed_forward.gated ? "wi_1" : "wi")}, inner, sizes.width, bias::none);
  of.down = tensors.projection({"", dense + "wo"}, sizes.width, inner, bias::none);
  return of;
}

/// side: "encoder" or "decoder".
void read_t5_stack(tensor_lookup& tensors, const std::string& side, uint32_t layers, const t5_sizes& sizes,
                   const stored_tensor& embedding, stack_spec& spec, stack_tensors& stack) {
  const bool is_decoder = side == "decoder";
  spec.context_length = t5_context_length;
  stack.embedding = embedding;
  tensors.ignore_copy({"", side + ".embed_tokens.weight"}, embedding);
  const auto table = tensors.matrix({"", side + ".block.0.layer.0.SelfAttention.relative_attention_bias.weight"},
                                    sizes.positions.buckets, sizes.heads);
  layer_spec layer;
  layer.attention = t5_attention(sizes, is_decoder);
  layer.attention.relative_positions = sizes.positions;
  layer.attention.relative_positions->bidirectional = !is_decoder;
  if (is_decoder) layer.cross_attention = t5_attention(sizes, false);
  layer.feed_forward = sizes.feed_forward;
  layer.norm = sizes.norm;
  for (uint32_t i = 0; i < layers; ++i) {
    const std::string block = side + ".block." + std::to_string(i) + ".layer.";
    const std::string feed_forward = block + (is_decoder ? "2." : "1.");
    layer_tensors of;
    of.attention_norm = tensors.norm({"", block + "0.layer_norm"}, sizes.width, bias::none);
    of.attention = read_t5_attention(tensors, block + "0.SelfAttention.", sizes);
    of.attention.relative_positions = table;
    if (is_decoder) {
      of.cross_attention_norm = tensors.norm({"", block + "1.layer_norm"}, sizes.width, bias::none);
      of.cross_attention = read_t5_attention(tensors, block + "1.EncDecAttention.", sizes);
    }
    of.feed_forward_norm = tensors.norm({"", feed_forward + "layer_norm"}, sizes.width, bias::none);
    of.feed_forward = read_t5_feed_forward(tensors, feed_forward, sizes);
    stack.layers.push_back(std::move(of));
    spec.layers.push_back(layer);
  }
  spec.final_norm = sizes.norm;
  stack.final_norm = tensors.norm({"", side + ".final_layer_norm"}, sizes.width, bias::none);
}

} // namespace

model_description describe_t5(const model_source& source) {
  const hyperparameters parameters(source, "t5");
  tensor_lookup tensors(source);
  tensors.ignore_endings({"EncDecAttention.relative_attention_bias.weight"}); // Of old checkpoints; never used.
  t5_sizes sizes{};
  sizes.width = parameters.count({"", "d_model"}, width_bounds);
  sizes.heads = parameters.count({"", "num_heads"}, {1, 1024});
  sizes.head_dim = parameters.count({"", "d_kv"}, {1, 1024});
  sizes.feed_forward = read_t5_feed_forward(parameters);
  sizes.norm = {norm_kind::rms, parameters.number({"", "layer_norm_epsilon"}, epsilon_bounds, 1e-6f)};
  sizes.positions.buckets = parameters.count({"", "relative_attention_num_buckets"}, {4, 1024}, 32);
  sizes.positions.distance_max = parameters.count({"", "relative_attention_max_distance"}, {1, double(context_max)}, 128);
  const uint32_t layers = parameters.count({"", "num_layers"}, {1, 2048});
  const uint32_t decoder_layers = parameters.count({"", "num_decoder_layers"}, {1, 2048}, layers);

  model_description model;
  const auto embedding = read_embedding(parameters, tensors, "shared.weight", sizes.width);
  decoder_sizes of_spec{};
  of_spec.width = sizes.width;
  of_spec.context_length = t5_context_length;
  model.spec = start_spec(source, "t5", of_spec, embedding);
  model.spec.start_token = parameters.count({"", "decoder_start_token_id"}, {0, double(model.spec.vocabulary) - 1}, 0);
  read_t5_stack(tensors, "encoder", layers, sizes, embedding, model.spec.encoder.emplace(), model.tensors.encoder.emplace());
  read_t5_stack(tensors, "decoder", decoder_layers, sizes, embedding, model.spec, model.tensors);
  model.tensors.output = read_output(parameters, tensors, embedding, true);
  if (parameters.flag({"", "tie_word_embeddings"}).value_or(true)) model.spec.output.scale = float(1 / std::sqrt(double(sizes.width)));
  tensors.finish(model);
  return model;
}

} // namespace troupe
