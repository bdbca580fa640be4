// Whisper (Radford et al. 2022): an encoder of sound and a decoder that writes what was said, norms before the blocks.
#include "model/families/layer_stack.hpp"
#include <cmath>

namespace troupe {
namespace {

/// What both sides have behind their embedding. side: "encoder" or "decoder". The positions of the encoder are stored sinusoids.
void read_whisper_stack(const hyperparameters& parameters, tensor_lookup& tensors, const std::string& side, uint32_t width,
                        stack_spec& spec, stack_tensors& stack) {
  const std::string base = "model." + side + ".", layers = side + "_layers", heads = side + "_attention_heads",
                    feed_forward = side + "_ffn_dim";
  const norm_spec norm{norm_kind::layer, 1e-5f};
  spec.embedding.positions = position_kind::learned;
  stack.positions = tensors.matrix({"", base + "embed_positions.weight"}, spec.context_length, width);
  layer_names names{.attention = bart_self, .up = "fc1", .down = "fc2", .feed_forward_norm = "final_layer_norm",
                    .cross_attention = std::nullopt, .norms = norm_place::before, .keys_have_bias = false};
  if (side == "decoder") names.cross_attention = bart_cross;
  read_layers(parameters, tensors, base + "layers.", {layers.c_str(), heads.c_str(), feed_forward.c_str(), "activation_function"}, names,
              width, norm.epsilon, spec, stack);
  spec.final_norm = norm;
  stack.final_norm = tensors.norm({"", base + "layer_norm"}, width, tensor_lookup::bias::required);
}

void read_sound(const hyperparameters& parameters, tensor_lookup& tensors, uint32_t width, stack_spec& spec, stack_tensors& stack) {
  audio_spec audio;
  audio.bins = parameters.count({"", "num_mel_bins"}, {1, 512});
  spec.context_length = parameters.count({"", "max_source_positions"}, {1, 1 << 16});
  audio.frames = 2 * spec.context_length;
  spec.embedding.audio = audio;
  stack.convolutions.push_back(tensors.convolution({"", "model.encoder.conv1"}, {width, audio.bins, 3}));
  stack.convolutions.push_back(tensors.convolution({"", "model.encoder.conv2"}, {width, width, 3}));
}

} // namespace

model_description describe_whisper(const model_source& source) {
  const hyperparameters parameters(source, "whisper");
  tensor_lookup tensors(source);
  if (!parameters.flag({"", "tie_word_embeddings"}).value_or(true))
    parameters.fail({"", "tie_word_embeddings"}, "an output of its own is not supported");
  decoder_sizes sizes{};
  sizes.width = parameters.count({"", "d_model"}, width_bounds);
  sizes.context_length = parameters.count({"", "max_target_positions"}, {1, double(context_max)});
  model_description model;
  const auto embedding = read_embedding(parameters, tensors, "model.decoder.embed_tokens.weight", sizes.width);
  model.spec = start_spec(source, "whisper", sizes, embedding);
  model.spec.start_token = parameters.count({"", "decoder_start_token_id"}, {0, double(model.spec.vocabulary) - 1});
  auto& encoder = model.spec.encoder.emplace();
  auto& of_encoder = model.tensors.encoder.emplace();
  read_sound(parameters, tensors, sizes.width, encoder, of_encoder);
  read_whisper_stack(parameters, tensors, "encoder", sizes.width, encoder, of_encoder);
  if (parameters.flag({"", "scale_embedding"}).value_or(false)) model.spec.embedding.scale = float(std::sqrt(double(sizes.width)));
  model.tensors.embedding = embedding;
  read_whisper_stack(parameters, tensors, "decoder", sizes.width, model.spec, model.tensors);
  tensors.ignore_copy({"", "proj_out.weight"}, embedding);
  model.tensors.output = {embedding, std::nullopt};
  tensors.finish(model);
  return model;
}

} // namespace troupe
