#pragma once
// The parts a model falls into. Each part is the property of exactly one actor, holds its own immutable slice of the
// weights, and knows the maths done with it. model/reference.hpp runs the same parts one after the other, without
// actors: whatever the actor graph computes must equal it bit for bit.
//
// Partition. One attention head part per key/value head, with the query heads that share it. All other matrices are cut
// by output rows into shards. A cut never changes a bit of the result (model/kernels/matrix.hpp).
#include "model/kernels/attention.hpp"
#include "model/kernels/matrix.hpp"
#include "model/kernels/rowwise.hpp"
#include "model/model_file.hpp"
#include "model/spec.hpp"
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace troupe {

/// Some rows of a matrix, or columns of an activation.
struct range {
  uint32_t first = 0, count = 0;
  bool operator==(const range&) const = default;
};

/// The rows of shard `shard` of `shards`: contiguous, in order, multiples of 32 except at the end. May be empty.
range shard_range(uint32_t rows, uint32_t shards, uint32_t shard);

struct norm_weights {
  norm_spec spec;
  std::vector<float> weight, bias; // [width]; bias may be empty.
  void apply(const_rows x, mutable_rows out) const; // Row by row; out may be x.
};

struct projection {
  std::shared_ptr<const packed_matrix> matrix; // [outputs, inputs]; null when outputs are 0.
  std::vector<float> bias;                     // [outputs] or empty.
  uint32_t outputs() const { return matrix ? matrix->rows() : 0; }
};

/// Looks up token embeddings and adds learned positions where the model has them (§3.4, §3.5 of "Attention Is All You
/// Need"). Stateless.
struct embedding_part {
  tensor_view table;                    // [vocabulary, width]
  std::optional<tensor_view> positions; // [context_length, width]
  /// out: [tokens.size(), width]; positions_of[i] < context_length, tokens[i] < vocabulary, both asserted.
  void forward(std::span<const uint32_t> tokens, std::span<const uint32_t> positions_of, mutable_rows out) const;
};

/// Consecutive rows of a step that belong to one sequence: rows [.., ..+rows) continue it at `first_position`.
struct head_slice {
  kv_cache* cache = nullptr; // length() >= first_position.
  uint32_t first_position = 0;
  uint32_t rows = 0;
};

/// One key/value head with its query heads.
struct attention_head_part {
  attention_spec spec;
  uint32_t index = 0;             // Which key/value head.
  projection query, key, value;   // [group * head_dim, width], [head_dim, width], [head_dim, width]
  std::optional<norm_weights> query_norm, key_norm;
  std::shared_ptr<const rope_table> rope;

  uint32_t output_columns() const { return spec.group() * spec.head_dim; }
  /// Projects x, applies norms and RoPE, writes keys and values of every slice into its cache, attends.
  /// x: [rows, width], the normalised hidden states; slices cover the rows in order; out: [rows, group * head_dim].
  void forward(const_rows x, std::span<const head_slice> slices, mutable_rows out) const;
};

/// A cut of a layer's remaining matrices by output rows. Stateless: three products, any of them repeatable at will.
struct projection_shard_part {
  feed_forward_spec feed_forward;
  range width_range;       // This shard's columns of the hidden state (outputs of `output` and `down`).
  range inner_range;       // This shard's columns of the feed-forward's inner activation.
  projection output;       // [width_range.count, heads * head_dim]
  projection gate, up;     // [inner_range.count, width]; gate only when gated.
  projection down;         // [width_range.count, feed_forward.width]
  void attention_output(const_rows x, mutable_rows out) const; // [rows, heads*head_dim] -> [rows, width_range.count]
  void inner(const_rows x, mutable_rows out) const;            // [rows, width] -> [rows, inner_range.count]
  void outer(const_rows x, mutable_rows out) const;            // [rows, ff.width] -> [rows, width_range.count]
};

/// What the layer itself does: the two norms; the residual sums are add().
struct layer_part {
  norm_weights attention_norm, feed_forward_norm;
  std::vector<std::shared_ptr<const attention_head_part>> heads;   // [kv_heads]
  std::vector<std::shared_ptr<const projection_shard_part>> shards; // [partition.shards]
};

/// A cut of the vocabulary.
struct output_shard_part {
  range vocabulary_range;
  projection output; // [vocabulary_range.count, width]
  void forward(const_rows x, mutable_rows out) const;
};

struct output_part {
  norm_weights norm;
  std::vector<std::shared_ptr<const output_shard_part>> shards;
};

struct partition {
  uint32_t shards = 1; // Of each layer and of the vocabulary.
};

struct model_parts {
  std::shared_ptr<const model_file> file; // Keeps the mapped bytes alive for what still refers to them.
  model_spec spec;
  embedding_part embedding;
  std::vector<std::shared_ptr<const layer_part>> layers;
  output_part output;
  uint64_t weight_bytes = 0; // Memory of all packed weights.
};

/// Runs independent jobs, in any order, on any threads; returns when all are done; rethrows the first exception.
using job_runner = std::function<void(std::vector<std::function<void()>>)>;
void run_in_order(std::vector<std::function<void()>> jobs);

/// Called as packing goes on, from any thread, with the share done in [0, 1].
using progress_callback = std::function<void(double)>;

/// Packs the weights of a model. Throws input_error when tensors and spec do not fit.
std::shared_ptr<const model_parts> make_parts(std::shared_ptr<const model_file> file, partition cut,
                                              const job_runner& run = run_in_order,
                                              const progress_callback& progress = {});

} // namespace troupe
