// BART (Lewis et al. 2020): the encoder-decoder of "Attention Is All You Need" with learned positions and a norm behind the embedding.
#include "model/families/bart.hpp"
#include <cmath>

namespace troupe {
namespace {

/// The embedding and the layers of "model.encoder." or "model.decoder.".
void read_bart_stack(const hyperparameters& parameters, tensor_lookup& tensors, const bart_traits& traits, const std::string& side,
                     const stored_tensor& embedding, uint32_t context_length, stack_spec& spec, stack_tensors& stack) {
  const std::string base = "model." + side + ".";
  const uint32_t width = uint32_t(embedding.columns);
  const norm_spec norm{norm_kind::layer, 1e-5f};
  spec.context_length = context_length;
  spec.embedding.scale = parameters.flag({"", "scale_embedding"}).value_or(false) ? float(std::sqrt(double(width))) : 1.0f;
  spec.embedding.positions = traits.positions;
  stack.embedding = embedding;
  tensors.ignore_copy({"", base + "embed_tokens.weight"}, embedding);
  if (traits.positions == position_kind::learned) {
    spec.embedding.position_offset = traits.position_offset;
    stack.positions =
        tensors.matrix({"", base + "embed_positions.weight"}, uint64_t(context_length) + traits.position_offset, width);
  }
  if (traits.has_embedding_norm) {
    spec.embedding.norm = norm;
    stack.embedding_norm = tensors.norm({"", base + "layernorm_embedding"}, width, tensor_lookup::bias::required);
  }
  const std::string layers = side + "_layers", heads = side + "_attention_heads", feed_forward = side + "_ffn_dim";
  layer_names names{.attention = bart_self, .up = "fc1", .down = "fc2", .feed_forward_norm = "final_layer_norm",
                        .cross_attention = std::nullopt};
  if (side == "decoder") names.cross_attention = bart_cross;
  read_layers(parameters, tensors, base + "layers.",
                        {layers.c_str(), heads.c_str(), feed_forward.c_str(), "activation_function"}, names, width, norm.epsilon, spec,
                        stack);
}

} // namespace

model_description describe_bart_like(const model_source& source, const bart_traits& traits) {
  const hyperparameters parameters(source, traits.architecture);
  tensor_lookup tensors(source);
  for (const char* key : {"normalize_before", "add_final_layer_norm"})
    if (parameters.flag({"", key}).value_or(false)) parameters.fail({"", key}, "norms before the blocks are not supported");
  for (const char* key : {"tie_word_embeddings", "share_encoder_decoder_embeddings"})
    if (!parameters.flag({"", key}).value_or(true)) parameters.fail({"", key}, "only one embedding for both sides is supported");
  if (traits.positions != position_kind::learned) tensors.ignore_endings({"embed_positions.weight"}); // Computed here.

  decoder_sizes sizes{};
  sizes.width = parameters.count({"", "d_model"}, width_bounds);
  // A table of sinusoids is made for all of them.
  const bounds context_bounds{1, traits.positions == position_kind::learned ? double(context_max) : 1 << 16};
  sizes.context_length = parameters.count({"", "max_position_embeddings"}, context_bounds);
  model_description model;
  const auto embedding = read_embedding(parameters, tensors, "model.shared.weight", sizes.width);
  model.spec = start_spec(source, traits.architecture, sizes, embedding);
  model.spec.start_token = parameters.count({"", "decoder_start_token_id"}, {0, double(model.spec.vocabulary) - 1});
  read_bart_stack(parameters, tensors, traits, "encoder", embedding, sizes.context_length, model.spec.encoder.emplace(),
                  model.tensors.encoder.emplace());
  read_bart_stack(parameters, tensors, traits, "decoder", embedding, sizes.context_length, model.spec, model.tensors);
  tensors.ignore_copy({"", "lm_head.weight"}, embedding);
  model.tensors.output = {embedding, tensors.matrix({"", "final_logits_bias"}, 1, model.spec.vocabulary)};
  tensors.finish(model);
  return model;
}

model_description describe_bart(const model_source& source) {
  return describe_bart_like(source, {"bart", position_kind::learned, 2, true});
}

} // namespace troupe
