#include "model/parts/check_tensors.hpp"
#include "model/error.hpp"

namespace troupe {
namespace {

class checker {
public:
  explicit checker(const model_file& file) : file_(file) {}

  void shape(const stored_tensor& tensor, uint64_t rows, uint64_t columns) const {
    require(tensor.rows == rows && tensor.columns == columns, tensor.name,
            "has shape [" + std::to_string(tensor.rows) + ", " + std::to_string(tensor.columns) +
                "], the model needs [" + std::to_string(rows) + ", " + std::to_string(columns) + "]");
    require(rows <= UINT32_MAX && columns <= UINT32_MAX, tensor.name, "is too large");
    require(tensor.columns % traits_of(tensor.type).block_elements == 0, tensor.name,
            "has rows of no whole number of blocks");
    const uint64_t size = tensor.from ? tensor.from->size() : 0;
    require(tensor.bytes() <= size && tensor.offset <= size - tensor.bytes(), tensor.name,
            "needs more bytes for its shape than there are");
  }
  void norm(const norm_tensors& norm, uint64_t width) const {
    shape(norm.weight, 1, width);
    if (norm.bias) shape(*norm.bias, 1, width);
  }
  void product(const projection_tensors& product, uint64_t outputs, uint64_t inputs) const {
    shape(product.weight, outputs, inputs);
    if (product.bias) shape(*product.bias, 1, outputs);
  }
  void require(bool holds, const std::string& place, const std::string& otherwise) const {
    if (!holds) throw input_error(file_.path.string() + ": " + place + ": " + otherwise);
  }

private:
  const model_file& file_;
};

void check_attention(const checker& check, const std::string& place, const attention_spec& spec,
                     const attention_tensors& tensors, uint32_t width) {
  check.require(spec.head_dim > 0, place, "heads are 0 wide");
  check.require(spec.kv_heads > 0 && spec.heads > 0 && spec.heads % spec.kv_heads == 0, place,
                std::to_string(spec.heads) + " heads cannot share " + std::to_string(spec.kv_heads) +
                    " key/value heads evenly");
  const uint64_t queries = uint64_t(spec.heads) * spec.head_dim;
  const uint64_t keys = uint64_t(spec.kv_heads) * spec.head_dim;
  check.product(tensors.query, queries, width);
  check.product(tensors.key, keys, width);
  check.product(tensors.value, keys, width);
  check.product(tensors.output, width, queries);

  check.require(!spec.relative_positions || tensors.relative_positions.has_value(), place, "the relative positions are missing");
  if (spec.relative_positions) {
    const auto& relative = *spec.relative_positions;
    const uint32_t exact = (relative.bidirectional ? relative.buckets / 2 : relative.buckets) / 2;
    check.require(exact > 0 && relative.distance_max > exact, place,
                  std::to_string(relative.buckets) + " buckets do not fit distances up to " + std::to_string(relative.distance_max));
    check.shape(*tensors.relative_positions, relative.buckets, spec.heads);
  }
  const bool has_norms = tensors.query_norm && tensors.key_norm;
  check.require(!spec.query_key_norm || has_norms, place, "the norms of queries and keys are missing");
  if (spec.query_key_norm) {
    check.norm(*tensors.query_norm, spec.head_dim);
    check.norm(*tensors.key_norm, spec.head_dim);
  }
  const rope_spec& rope = spec.rope;
  if (rope.kind == rope_kind::none) return;
  check.require(rope.dimensions > 0 && rope.dimensions % 2 == 0 && rope.dimensions <= spec.head_dim, place,
                std::to_string(rope.dimensions) + " rotary dimensions do not fit heads " +
                    std::to_string(spec.head_dim) + " wide");
  check.require(rope.factors.empty() || rope.factors.size() == rope.dimensions / 2, place,
                std::to_string(rope.factors.size()) + " rotary factors for " +
                    std::to_string(rope.dimensions) + " dimensions");
}

void check_feed_forward(const checker& check, const std::string& place, const feed_forward_spec& spec,
                        const feed_forward_tensors& tensors, uint32_t width) {
  check.require(spec.width > 0, place, "the feed-forward is 0 wide");
  check.require(!spec.gated || tensors.gate.has_value(), place, "the feed-forward's gate is missing");
  if (spec.gated) check.product(*tensors.gate, spec.width, width);
  check.product(tensors.up, spec.width, width);
  check.product(tensors.down, width, spec.width);
}

void check_embedding(const checker& check, const model_spec& model, const stack_spec& stack, const stack_tensors& tensors) {
  const embedding_spec& spec = stack.embedding;
  if (!spec.audio) check.shape(tensors.embedding, model.vocabulary, model.width);
  check.require((spec.positions == position_kind::learned) == tensors.positions.has_value(), "model",
                tensors.positions ? "positions that are not learned have a table" : "the learned positions are missing");
  if (tensors.positions) check.shape(*tensors.positions, uint64_t(spec.position_offset) + stack.context_length, model.width);
  check.require(spec.image.has_value() == tensors.patches.has_value(), "model", "the weights of patches are missing or unused");
  if (spec.image) {
    const image_spec& image = *spec.image;
    check.require(image.patch_height > 0 && image.patch_width > 0 && image.patches() > 0, "model", "an image has no patch");
    check.require(image.rows() == stack.context_length, "model", "an image has other than " + std::to_string(stack.context_length) + " rows");
    check.product(*tensors.patches, model.width, image.patch_elements());
  }
  check.require(tensors.convolutions.size() == (spec.audio ? 2 : 0), "model", "the convolutions of sound are missing or unused");
  if (spec.audio) {
    const audio_spec& audio = *spec.audio;
    check.require(&stack != static_cast<const stack_spec*>(&model), "model", "sound is for an encoder");
    check.require(!spec.image, "model", "rows are of images or of sound");
    check.require(audio.bins > 0 && audio.frames > 0, "model", "sound has no features");
    check.require(audio.rows() == stack.context_length, "model", "sound has other than " + std::to_string(stack.context_length) + " rows");
    check.require(spec.positions == position_kind::learned || spec.positions == position_kind::none, "model",
                  "sound has positions that are computed");
    check.product(tensors.convolutions[0], model.width, uint64_t(audio.bins) * 3);
    check.product(tensors.convolutions[1], model.width, uint64_t(model.width) * 3);
  }
  check.require((spec.segments > 0) == tensors.segments.has_value(), "model", "the table of segments is missing, or has no segments");
  if (tensors.segments) check.shape(*tensors.segments, spec.segments, model.width);
  check.require(spec.norm.has_value() == tensors.embedding_norm.has_value(), "model", "the norm of the embedding is missing or unused");
  if (tensors.embedding_norm) check.norm(*tensors.embedding_norm, model.width);
}

/// is_decoder: its layers attend to an encoder.
void check_stack(const checker& check, const std::string& prefix, const model_spec& model, const stack_spec& spec,
                 const stack_tensors& tensors, bool is_decoder) {
  check.require(spec.context_length > 0, "model", "the context length is 0");
  check.require(spec.layers.size() == tensors.layers.size(), "model",
                "tensors of " + std::to_string(tensors.layers.size()) + " layers, described are " +
                    std::to_string(spec.layers.size()));
  check_embedding(check, model, spec, tensors);
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    const std::string place = prefix + "layer " + std::to_string(i);
    const layer_spec& layer = spec.layers[i];
    const layer_tensors& layer_tensors = tensors.layers[i];
    check.require(layer.attention.causal == spec.layers[0].attention.causal, place, "is causal, or not, unlike layer 0");
    check.norm(layer_tensors.attention_norm, model.width);
    check.norm(layer_tensors.feed_forward_norm, model.width);
    check_attention(check, place, layer.attention, layer_tensors.attention, model.width);
    check_feed_forward(check, place, layer.feed_forward, layer_tensors.feed_forward, model.width);
    check.require(layer.cross_attention.has_value() == is_decoder, place, "cross-attention goes with an encoder");
    if (!layer.cross_attention) continue;
    check.require(layer_tensors.cross_attention && layer_tensors.cross_attention_norm, place, "the cross-attention is missing");
    check.require(!layer.cross_attention->relative_positions && layer.cross_attention->rope.kind == rope_kind::none, place,
                  "cross-attention has no positions");
    check.norm(*layer_tensors.cross_attention_norm, model.width);
    check_attention(check, place, *layer.cross_attention, *layer_tensors.cross_attention, model.width);
  }
  check.require(spec.final_norm.has_value() == tensors.final_norm.has_value(), "model", "the final norm is missing or unused");
  if (tensors.final_norm) check.norm(*tensors.final_norm, model.width);
}

void check_output(const checker& check, const model_spec& model, const model_tensors& tensors) {
  const output_spec& spec = model.output;
  check.require(spec.columns > 0, "model", "the output has no columns");
  check.require(spec.transform.has_value() == tensors.output_transform.has_value(), "model",
                "the output's transform is missing or unused");
  if (spec.transform) {
    check.product(*tensors.output_transform, model.width, model.width);
    check.require(spec.transform->norm.has_value() == tensors.output_transform_norm.has_value(), "model",
                  "the norm of the output's transform is missing or unused");
    if (tensors.output_transform_norm) check.norm(*tensors.output_transform_norm, model.width);
  }
  if (spec.kind == output_spec::result::hidden_states)
    check.require(spec.columns == model.width, "model", "hidden states are not as wide as the output's columns");
  else
    check.product(tensors.output, spec.columns, model.width);
}

} // namespace

void check_tensors(const model_file& file) {
  const checker check{file};
  const model_spec& spec = file.spec;
  const model_tensors& tensors = file.tensors;
  check.require(spec.width > 0, "model", "the hidden states are 0 wide");
  check.require(spec.vocabulary > 0, "model", "the vocabulary is empty");
  check.require(spec.encoder.has_value() == tensors.encoder.has_value(), "model", "the tensors of the encoder are missing or unused");
  check_stack(check, "", spec, spec, tensors, spec.encoder.has_value());
  if (spec.encoder) check_stack(check, "encoder: ", spec, *spec.encoder, *tensors.encoder, false);
  check_output(check, spec, tensors);
}

} // namespace troupe
