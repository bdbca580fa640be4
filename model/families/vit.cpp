// The vision transformer (Dosovitskiy et al. 2021): a pre-norm stack in which all patches of an image see each other.
#include "model/families/labels.hpp"
#include "model/families/layer_stack.hpp"
#include <cmath>

namespace troupe {
namespace {

published_name of_vit(std::string name) { return {"", std::move(name)}; }

constexpr bounds image_bounds{1, 2048}, patch_bounds{1, 512}, channel_bounds{1, 16};

enum class vit_head : uint8_t { none, classes };

image_spec read_image(const hyperparameters& parameters) {
  image_spec image;
  image.channels = parameters.count({"", "num_channels"}, channel_bounds, 3);
  image.height = image.width = parameters.count({"", "image_size"}, image_bounds, 224);
  image.patch_height = image.patch_width = parameters.count({"", "patch_size"}, patch_bounds, 16);
  if (image.patch_height > image.height)
    parameters.fail({"", "patch_size"}, "a patch of " + std::to_string(image.patch_height) + " pixels is larger than an image of " +
                                            std::to_string(image.height));
  return image;
}

void read_image_embedding(tensor_lookup& tensors, const std::string& base, model_description& model) {
  const image_spec& image = *model.spec.embedding.image;
  const uint64_t width = model.spec.width;
  // Shapes as they are published: a batch of one, and the four dimensions of a convolution.
  model.tensors.embedding = tensors.matrix(of_vit(base + "embeddings.cls_token"), {1, 1, width});
  model.tensors.positions = tensors.matrix(of_vit(base + "embeddings.position_embeddings"), {1, image.rows(), width});
  model.tensors.patches = tensors.convolution(of_vit(base + "embeddings.patch_embeddings.projection"),
                                              {width, image.channels, image.patch_height, image.patch_width});
  tensors.ignore_beginnings({base + "embeddings.mask_token"});
}

layer_spec read_vit_layer_spec(const hyperparameters& parameters, const model_spec& spec, const norm_spec& norm) {
  layer_spec layer;
  const uint32_t heads = parameters.count({"", "num_attention_heads"}, {1, 1024});
  if (spec.width % heads != 0)
    parameters.fail({"", "num_attention_heads"}, "a width of " + std::to_string(spec.width) + " does not divide among " +
                                                     std::to_string(heads) + " heads");
  layer.attention.heads = layer.attention.kv_heads = heads;
  layer.attention.head_dim = spec.width / heads;
  layer.attention.causal = false;
  layer.attention.scale = 1.0f / std::sqrt(float(layer.attention.head_dim));
  layer.feed_forward = {false, read_activation(parameters, {"", "hidden_act"}), parameters.count({"", "intermediate_size"}, {1, 1 << 20})};
  layer.norm = norm;
  layer.norms = norm_place::before;
  return layer;
}

void read_vit_layers(const hyperparameters& parameters, tensor_lookup& tensors, const std::string& base, const norm_spec& norm,
                 model_description& model) {
  using has_bias = tensor_lookup::bias;
  const uint32_t width = model.spec.width, layers = parameters.count({"", "num_hidden_layers"}, {1, 2048});
  const layer_spec layer = read_vit_layer_spec(parameters, model.spec, norm);
  const has_bias of_heads = parameters.flag({"", "qkv_bias"}).value_or(true) ? has_bias::required : has_bias::none;
  for (uint32_t i = 0; i < layers; ++i) {
    const std::string at = base + "encoder.layer." + std::to_string(i) + ".";
    const auto product = [&](const char* name, uint32_t rows, uint32_t columns, has_bias with) {
      return tensors.projection(of_vit(at + name), rows, columns, with);
    };
    layer_tensors of;
    of.attention_norm = tensors.norm(of_vit(at + "layernorm_before"), width, has_bias::required);
    of.attention.query = product("attention.attention.query", width, width, of_heads);
    of.attention.key = product("attention.attention.key", width, width, of_heads);
    of.attention.value = product("attention.attention.value", width, width, of_heads);
    of.attention.output = product("attention.output.dense", width, width, has_bias::required);
    of.feed_forward_norm = tensors.norm(of_vit(at + "layernorm_after"), width, has_bias::required);
    of.feed_forward.up = product("intermediate.dense", layer.feed_forward.width, width, has_bias::required);
    of.feed_forward.down = product("output.dense", width, layer.feed_forward.width, has_bias::required);
    model.tensors.layers.push_back(std::move(of));
    model.spec.layers.push_back(layer);
  }
}

model_description describe_vit_with(const model_source& source, vit_head head) {
  const hyperparameters parameters(source, "vit");
  tensor_lookup tensors(source);
  const std::string base = head == vit_head::none ? tensors.prefix_if_used("vit.") : "vit.";
  const image_spec image = read_image(parameters);
  if (image.rows() > context_max)
    parameters.fail({"", "patch_size"}, std::to_string(image.patches()) + " patches; at most " + std::to_string(context_max - 1) +
                                            " are supported");
  decoder_sizes sizes{};
  sizes.width = parameters.count({"", "hidden_size"}, width_bounds);
  sizes.context_length = image.rows();
  const norm_spec norm{norm_kind::layer, parameters.number({"", "layer_norm_eps"}, epsilon_bounds, 1e-12f)};
  model_description model;
  stored_tensor class_token;
  class_token.rows = 1;
  model.spec = start_spec(source, "vit", sizes, class_token);
  model.spec.embedding.image = image;
  model.spec.embedding.positions = position_kind::learned;
  read_image_embedding(tensors, base, model);
  read_vit_layers(parameters, tensors, base, norm, model);
  model.spec.final_norm = norm;
  model.tensors.final_norm = tensors.norm(of_vit(base + "layernorm"), sizes.width, tensor_lookup::bias::required);
  // What transformers computes of the pooler beside the hidden states is left aside, as in bert.
  if (head == vit_head::none) {
    tensors.ignore_beginnings({base + "pooler.", "classifier."});
    model.spec.output.kind = output_spec::result::hidden_states;
    model.spec.output.columns = sizes.width;
  } else {
    tensors.ignore_beginnings({base + "pooler."});
    model.spec.output.kind = output_spec::result::labels;
    model.spec.output.of_first_row = true;
    read_classifier(parameters, tensors, "classifier", model);
  }
  tensors.finish(model);
  return model;
}

} // namespace

model_description describe_vit(const model_source& source) { return describe_vit_with(source, vit_head::none); }
model_description describe_vit_for_classification(const model_source& source) { return describe_vit_with(source, vit_head::classes); }

} // namespace troupe
