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

  mutable_rows all() { return {values.data(), rows, columns, columns}; }
  mutable_rows some(range cut) { return {values.data() + cut.first, rows, cut.count, columns}; }
};

/// x += shards(input), each shard its columns.
void add_product(activations& x, activations& delta, const layer_part& layer, const_rows input,
                 part_scratch& scratch,
                 void (projection_shard_part::*product)(const_rows, mutable_rows, part_scratch&) const) {
  for (const auto& shard : layer.shards)
    (shard.get()->*product)(input, delta.some(shard->width_range), scratch);
  add(x.values, delta.values);
}

/// x += attention(norm(x)); x += feed_forward(norm(x)).
void run_layer(const layer_part& layer, std::vector<kv_cache>& caches, uint32_t first_position,
               activations& x, part_scratch& scratch) {
  const attention_head_part& first_head = *layer.heads.front();
  const uint32_t head_columns = first_head.output_columns();
  const uint32_t inner_width = layer.shards.front()->feed_forward.width;
  activations normed{x.rows, x.columns}, delta{x.rows, x.columns};
  activations attended{x.rows, layer.heads.size() * head_columns}, inner{x.rows, inner_width};

  layer.attention_norm.apply(x.all(), normed.all());
  for (const auto& head : layer.heads) {
    const head_slice slice{&caches[head->index], first_position, x.rows};
    const range columns{head->index * head_columns, head_columns};
    head->forward(normed.all(), {&slice, 1}, attended.some(columns), scratch);
  }
  add_product(x, delta, layer, attended.all(), scratch, &projection_shard_part::attention_output);

  layer.feed_forward_norm.apply(x.all(), normed.all());
  for (const auto& shard : layer.shards) shard->inner(normed.all(), inner.some(shard->inner_range), scratch);
  add_product(x, delta, layer, inner.all(), scratch, &projection_shard_part::outer);
}

void check_input(const model_parts& parts, std::span<const uint32_t> tokens, uint32_t length) {
  if (tokens.size() > parts.positions_max - length)
    throw input_error("a sequence of " + std::to_string(length + tokens.size()) + " tokens exceeds the " +
                      std::to_string(parts.positions_max) + " positions of the model");
  for (const uint32_t token : tokens)
    if (token >= parts.spec.vocabulary)
      throw input_error("token " + std::to_string(token) + " is beyond the vocabulary of " +
                        std::to_string(parts.spec.vocabulary));
}

} // namespace

reference_model::reference_model(std::shared_ptr<const model_parts> parts) : parts_(std::move(parts)) {
  TROUPE_ASSERT(parts_ != nullptr);
  for (const auto& layer : parts_->layers) {
    std::vector<kv_cache>& caches = caches_.emplace_back();
    for (const auto& head : layer->heads) caches.push_back(head->make_cache());
  }
}

std::vector<float> reference_model::forward(std::span<const uint32_t> tokens,
                                            std::vector<std::vector<float>>* hidden_states) {
  const model_parts& parts = *parts_;
  check_input(parts, tokens, length_);
  std::vector<uint32_t> positions(tokens.size());
  std::iota(positions.begin(), positions.end(), length_);

  activations x{tokens.size(), parts.spec.width};
  parts.embedding.forward(tokens, positions, x.all(), scratch_);
  if (hidden_states != nullptr) hidden_states->assign(1, x.values);
  for (size_t i = 0; i < parts.layers.size(); ++i) {
    run_layer(*parts.layers[i], caches_[i], length_, x, scratch_);
    if (hidden_states != nullptr) hidden_states->push_back(x.values);
  }

  activations logits{tokens.size(), parts.spec.vocabulary};
  parts.output.norm.apply(x.all(), x.all());
  for (const auto& shard : parts.output.shards)
    shard->forward(x.all(), logits.some(shard->vocabulary_range), scratch_);
  length_ += uint32_t(tokens.size());
  return std::move(logits.values);
}

void reference_model::rewind(uint32_t length) {
  TROUPE_ASSERT(length <= length_);
  length_ = length;
}

} // namespace troupe
