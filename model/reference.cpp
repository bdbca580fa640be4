#include "model/reference.hpp"
#include "model/error.hpp"
#include <numeric>

namespace troupe {
namespace {

/// A matrix of activations that is its own.
struct activations {
  activations(size_t row_count, size_t column_count)
      : rows(uint32_t(row_count)), columns(uint32_t(column_count)), values(row_count * column_count) {}

  uint32_t rows, columns;
  std::vector<float> values;

  const_rows all() const { return {values.data(), rows, columns, columns}; }
  mutable_rows all() { return {values.data(), rows, columns, columns}; }
  mutable_rows some(range cut) { return {values.data() + cut.first, rows, cut.count, columns}; }
};

/// The caches of a layer's heads.
struct layer_caches {
  std::span<kv_cache> own;   // Empty: the heads keep nothing.
  std::span<kv_cache> cross;
};

/// delta = shards(input), each shard its columns.
void apply_shards(activations& delta, const layer_part& layer, const_rows input, part_scratch& scratch,
                  void (projection_shard_part::*product)(const_rows, mutable_rows, part_scratch&) const) {
  for (const auto& shard : layer.shards) (shard.get()->*product)(input, delta.some(shard->width_range), scratch);
}

/// A block with its norm and residual sum; see norm_place. block: (input, delta).
template <class Block>
void add_block(norm_place norms, const norm_weights& norm, activations& x, Block block) {
  activations delta{x.rows, x.columns};
  if (norms == norm_place::before) {
    activations normed{x.rows, x.columns};
    norm.apply(x.all(), normed.all());
    block(const_rows(normed.all()), delta);
  } else {
    block(const_rows(x.all()), delta);
  }
  add(x.values, delta.values);
  if (norms == norm_place::after) norm.apply(x.all(), x.all());
}

/// The outputs of all heads side by side. attend: (head, cache or null, input, out).
template <class Attend>
activations attended(std::span<const std::shared_ptr<const attention_head_part>> heads, std::span<kv_cache> caches, const_rows input,
                     Attend attend) {
  const uint32_t columns = heads.front()->output_columns();
  activations out{input.rows, heads.size() * columns};
  for (const auto& head : heads)
    attend(*head, caches.empty() ? nullptr : &caches[head->index], input, out.some({head->index * columns, columns}));
  return out;
}

void run_layer(const layer_part& layer, layer_caches caches, uint32_t first_position, activations& x, part_scratch& scratch) {
  const auto slice_of = [&](kv_cache* cache) { return head_slice{cache, first_position, x.rows}; };
  add_block(layer.norms, layer.attention_norm, x, [&](const_rows input, activations& delta) {
    const auto all = attended(layer.heads, caches.own, input, [&](const auto& head, kv_cache* cache, const_rows in, mutable_rows out) {
      const head_slice slice = slice_of(cache);
      head.forward(in, {&slice, 1}, out, scratch);
    });
    apply_shards(delta, layer, all.all(), scratch, &projection_shard_part::attention_output);
  });
  if (layer.cross_attention_norm)
    add_block(layer.norms, *layer.cross_attention_norm, x, [&](const_rows input, activations& delta) {
      const auto all =
          attended(layer.cross_heads, caches.cross, input, [&](const auto& head, kv_cache* cache, const_rows in, mutable_rows out) {
            const head_slice slice = slice_of(cache);
            head.recall(in, {&slice, 1}, out, scratch);
          });
      apply_shards(delta, layer, all.all(), scratch, &projection_shard_part::cross_attention_output);
    });
  add_block(layer.norms, layer.feed_forward_norm, x, [&](const_rows input, activations& delta) {
    activations inner{x.rows, layer.shards.front()->feed_forward.width};
    for (const auto& shard : layer.shards) shard->inner(input, inner.some(shard->inner_range), scratch);
    apply_shards(delta, layer, inner.all(), scratch, &projection_shard_part::outer);
  });
}

/// what: "an image".
void check_features(const char* what, std::span<const float> features, uint64_t elements) {
  if (features.size() != elements)
    throw input_error(std::string(what) + " of " + std::to_string(features.size()) + " elements, where the model takes " +
                      std::to_string(elements));
}

void check_input(const model_spec& spec, uint32_t positions_max, std::span<const uint32_t> tokens, uint32_t length) {
  if (tokens.size() > positions_max - length)
    throw input_error("a sequence of " + std::to_string(length + tokens.size()) + " tokens exceeds the " +
                      std::to_string(positions_max) + " positions of the model");
  for (const uint32_t token : tokens)
    if (token >= spec.vocabulary)
      throw input_error("token " + std::to_string(token) + " is beyond the vocabulary of " + std::to_string(spec.vocabulary));
}

std::vector<std::vector<kv_cache>> make_caches(const stack_part& stack, bool of_cross_heads) {
  std::vector<std::vector<kv_cache>> all;
  for (const auto& layer : stack.layers) {
    auto& caches = all.emplace_back();
    for (const auto& head : of_cross_heads ? layer->cross_heads : layer->heads)
      if (of_cross_heads || head->spec.causal) caches.push_back(head->make_cache());
  }
  return all;
}

activations embed(const stack_part& stack, uint32_t width, std::span<const uint32_t> tokens, uint32_t first_position,
                  std::span<const uint32_t> segments, part_scratch& scratch, std::span<const float> features = {}) {
  std::vector<uint32_t> positions(tokens.size());
  std::iota(positions.begin(), positions.end(), first_position);
  activations x{tokens.size(), width};
  stack.embedding.forward(tokens, positions, segments, x.all(), scratch, features);
  return x;
}

activations logits_of(const output_part& output, activations x, part_scratch& scratch) {
  if (output.spec.of_first_row) {
    x.values.resize(x.columns);
    x.rows = 1;
  }
  output.enter(x.all(), x.all());
  if (output.spec.transform) {
    activations transformed{x.rows, x.columns};
    for (const auto& shard : output.shards) shard->apply_transform(x.all(), transformed.some(shard->transform_columns), scratch);
    output.finish_transform(transformed.all());
    x = std::move(transformed);
  }
  if (output.spec.kind == output_spec::result::hidden_states) return x;
  activations logits{x.rows, output.spec.columns};
  for (const auto& shard : output.shards) shard->forward(x.all(), logits.some(shard->columns), scratch);
  return logits;
}

using caches_of_layers = std::vector<std::vector<kv_cache>>;

/// All layers of the stack and the output, on rows of which the first is at `first_position`.
std::vector<float> results_of(const model_parts& parts, caches_of_layers& caches, caches_of_layers& cross_caches, uint32_t first_position,
                              activations x, reference_model::hidden_states* states, part_scratch& scratch) {
  if (states != nullptr) states->assign(1, x.values);
  for (size_t i = 0; i < parts.layers.size(); ++i) {
    run_layer(*parts.layers[i], {caches[i], cross_caches[i]}, first_position, x, scratch);
    if (states != nullptr) states->push_back(x.values);
  }
  return std::move(logits_of(parts.output, std::move(x), scratch).values);
}

} // namespace

reference_model::reference_model(std::shared_ptr<const model_parts> parts) : parts_(std::move(parts)) {
  TROUPE_ASSERT(parts_ != nullptr);
  caches_ = make_caches(*parts_, false);
  cross_caches_ = make_caches(*parts_, true);
}

void reference_model::encode(std::span<const uint32_t> source, hidden_states* states) {
  TROUPE_ASSERT(parts_->encoder.has_value() && !source.empty() && !parts_->spec.input().audio);
  encode_rows(source, {}, states);
}

void reference_model::encode_sound(std::span<const float> features, hidden_states* states) {
  TROUPE_ASSERT(parts_->encoder.has_value() && parts_->spec.input().audio.has_value());
  const audio_spec& audio = *parts_->spec.input().audio;
  check_features("sound", features, audio.elements());
  encode_rows(std::vector<uint32_t>(audio.rows()), features, states);
}

void reference_model::encode_rows(std::span<const uint32_t> source, std::span<const float> features, hidden_states* states) {
  const model_parts& parts = *parts_;
  check_input(parts.spec, parts.encoder->positions_max, source, 0);
  activations x = embed(*parts.encoder, parts.spec.width, source, 0, {}, scratch_, features);
  if (states != nullptr) states->assign(1, x.values);
  for (const auto& layer : parts.encoder->layers) {
    run_layer(*layer, {}, 0, x, scratch_);
    if (states != nullptr) states->push_back(x.values);
  }
  if (parts.encoder_norm) parts.encoder_norm->apply(x.all(), x.all());
  if (states != nullptr) states->push_back(x.values);
  cross_caches_ = make_caches(parts, true);
  for (size_t i = 0; i < parts.layers.size(); ++i)
    for (const auto& head : parts.layers[i]->cross_heads) {
      const head_slice slice{&cross_caches_[i][head->index], 0, x.rows};
      head->remember(x.all(), {&slice, 1}, scratch_);
    }
  length_ = 0;
}

std::vector<float> reference_model::forward(std::span<const uint32_t> tokens, hidden_states* states,
                                            std::span<const uint32_t> segments) {
  const model_parts& parts = *parts_;
  const bool is_whole = parts.spec.needs_whole_sequences();
  TROUPE_ASSERT(!parts.spec.embedding.image);
  check_input(parts.spec, parts.positions_max, tokens, is_whole ? 0 : length_);
  activations x = embed(parts, parts.spec.width, tokens, is_whole ? 0 : length_, segments, scratch_);
  auto results = results_of(parts, caches_, cross_caches_, is_whole ? 0 : length_, std::move(x), states, scratch_);
  if (!is_whole) length_ += uint32_t(tokens.size());
  return results;
}

std::vector<float> reference_model::forward_image(std::span<const float> pixels, hidden_states* states) {
  TROUPE_ASSERT(parts_->spec.embedding.image.has_value());
  const image_spec& image = *parts_->spec.embedding.image;
  check_features("an image", pixels, image.elements());
  const std::vector<uint32_t> tokens(image.rows());
  activations x = embed(*parts_, parts_->spec.width, tokens, 0, {}, scratch_, pixels);
  return results_of(*parts_, caches_, cross_caches_, 0, std::move(x), states, scratch_);
}

void reference_model::rewind(uint32_t length) {
  TROUPE_ASSERT(length <= length_);
  length_ = length;
}

} // namespace troupe
