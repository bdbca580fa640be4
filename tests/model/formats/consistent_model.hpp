#pragma once
// What every opened model must satisfy, whatever it was opened from.
#include "model/model_file.hpp"
#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace troupe {

/// Thrown, not CHECKed: a Catch assertion for every tensor of 10,000 models would take most of the time.
inline void require(bool holds, const std::string& what) {
  if (!holds) throw std::logic_error("an inconsistent model was opened: " + what);
}

class consistency_check {
public:
  explicit consistency_check(const model_file& model) : model_(model), spec_(model.spec) {}

  void check() const {
    require(spec_.vocabulary >= 1 && spec_.width >= 1 && spec_.context_length >= 1, "sizes");
    require(!spec_.layers.empty() && spec_.layers.size() == model_.tensors.layers.size(), "layers");
    if (spec_.final_norm) check_norm(*spec_.final_norm, model_.tensors.final_norm.value(), spec_.width);
    check_matrix(model_.tensors.embedding, spec_.vocabulary, spec_.width);
    const bool is_learned = spec_.embedding.positions == position_kind::learned;
    require(is_learned == model_.tensors.positions.has_value(), "positions");
    if (is_learned) check_matrix(*model_.tensors.positions, spec_.context_length, spec_.width);
    check_projection(model_.tensors.output, spec_.vocabulary, spec_.width);
    for (size_t i = 0; i < spec_.layers.size(); ++i) check_layer(spec_.layers[i], model_.tensors.layers[i]);
    check_words(model_.words);
  }

private:
  void check_matrix(const stored_tensor& tensor, uint64_t rows, uint64_t columns) const {
    require(tensor.rows == rows && tensor.columns == columns, "shape of " + tensor.name);
    require(tensor.from != nullptr, "source of " + tensor.name);
    const uint64_t size = tensor.from->size();
    require(tensor.offset <= size && tensor.bytes() <= size - tensor.offset, "place of " + tensor.name);
    const bool is_file = std::ranges::find(model_.files, tensor.from) != model_.files.end();
    require(is_file || dynamic_cast<const byte_memory*>(tensor.from.get()) != nullptr, "source of " + tensor.name);
  }

  void check_vector(const stored_tensor& tensor, uint64_t length) const {
    check_matrix(tensor, 1, length);
    require(traits_of(tensor.type).block_elements == 1, "type of " + tensor.name);
  }

  void check_projection(const projection_tensors& tensors, uint64_t rows, uint64_t columns) const {
    check_matrix(tensors.weight, rows, columns);
    if (tensors.bias) check_vector(*tensors.bias, rows);
  }

  void check_norm(const norm_spec& norm, const norm_tensors& tensors, uint64_t width) const {
    require(std::isfinite(norm.epsilon) && norm.epsilon > 0, "epsilon");
    check_vector(tensors.weight, width);
    if (tensors.bias) check_vector(*tensors.bias, width);
  }

  void check_rope(const rope_spec& rope, uint32_t head_dim) const {
    if (rope.kind == rope_kind::none) return;
    require(rope.dimensions >= 2 && rope.dimensions % 2 == 0 && rope.dimensions <= head_dim,
            "rope dimensions");
    require(std::isfinite(rope.base) && rope.base > 0, "rope base");
    require(std::isfinite(rope.scaling_factor) && rope.scaling_factor > 0, "rope scaling");
    require(rope.factors.empty() || rope.factors.size() == rope.dimensions / 2, "rope factors");
  }

  void check_layer(const layer_spec& layer, const layer_tensors& tensors) const {
    const attention_spec& attention = layer.attention;
    require(attention.kv_heads >= 1 && attention.heads % attention.kv_heads == 0, "heads");
    require(attention.head_dim >= 1 && std::isfinite(attention.scale) && attention.scale > 0, "head_dim");
    const uint64_t query_rows = uint64_t(attention.heads) * attention.head_dim;
    const uint64_t key_rows = uint64_t(attention.kv_heads) * attention.head_dim;
    check_rope(attention.rope, attention.head_dim);
    check_norm(layer.norm, tensors.attention_norm, spec_.width);
    check_norm(layer.norm, tensors.feed_forward_norm, spec_.width);
    check_projection(tensors.attention.query, query_rows, spec_.width);
    check_projection(tensors.attention.key, key_rows, spec_.width);
    check_projection(tensors.attention.value, key_rows, spec_.width);
    check_projection(tensors.attention.output, spec_.width, query_rows);
    require(attention.query_key_norm.has_value() == tensors.attention.query_norm.has_value(), "query norm");
    require(attention.query_key_norm.has_value() == tensors.attention.key_norm.has_value(), "key norm");
    if (attention.query_key_norm) {
      check_norm(*attention.query_key_norm, *tensors.attention.query_norm, attention.head_dim);
      check_norm(*attention.query_key_norm, *tensors.attention.key_norm, attention.head_dim);
    }
    const feed_forward_spec& feed_forward = layer.feed_forward;
    require(feed_forward.width >= 1, "feed-forward width");
    require(feed_forward.gated == tensors.feed_forward.gate.has_value(), "gate");
    if (feed_forward.gated) check_projection(*tensors.feed_forward.gate, feed_forward.width, spec_.width);
    check_projection(tensors.feed_forward.up, feed_forward.width, spec_.width);
    check_projection(tensors.feed_forward.down, spec_.width, feed_forward.width);
  }

  void check_words(const vocabulary& words) const {
    if (words.kind == tokenizer_kind::none) return require(words.pieces.empty(), "pieces of no tokenizer");
    const size_t size = spec_.vocabulary;
    require(words.pieces.size() == size && words.kinds.size() == size, "pieces and kinds");
    const bool has_scores =
        words.kind == tokenizer_kind::sentencepiece || words.kind == tokenizer_kind::unigram;
    require(words.scores.size() == (has_scores ? size : 0), "scores");
    for (const auto& id : {words.bos, words.eos, words.unknown, words.padding}) {
      require(!id || *id < size, "a special id");
    }
    for (const uint32_t id : words.end_of_generation) require(id < size, "an id that ends a text");
    require(!words.add_bos || words.bos, "bos");
    require(!words.add_eos || words.eos, "eos");
  }

  const model_file& model_;
  const model_spec& spec_;
};

/// Throws std::logic_error when later code could not rely on the model.
inline void require_consistent(const model_file& model) { consistency_check(model).check(); }

} // namespace troupe
