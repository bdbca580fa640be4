#pragma once
// A trainable part is what one actor of a training run computes with: its own slices of the model's weights, their gradients and the
// optimiser's state, and the maths of both directions. It is the counterpart of model/parts.hpp, cut in the same way: one head per
// key/value head, shards of the output rows of all other matrices. The forward results are those of inference, bit for bit.
//
// A micro-batch is some whole sequences, row after row; with an encoder there are as many source sequences. `forward` leaves in `kept`
// what `backward` of the same micro-batch needs; `backward` adds to the gradients of the part's weights and gives the gradient of its
// input. Micro-batches go backward in their order: so a gradient is one sum over all rows of the batch in order, however the batch is
// cut into micro-batches.
//
// Not thread-safe: a part belongs to one actor. Wrong shapes are broken invariants.
#include "model/kernels/gemm.hpp"
#include "model/parts.hpp"
#include "model/training/micro_batch.hpp"
#include "model/training/parameters.hpp"
#include "model/training/sum_tree.hpp"
#include <cstdint>
#include <span>
#include <vector>

namespace troupe {

/// Which part of each matrix a shard has (sum_tree::nodes_of).
struct training_cut {
  uint32_t shards = 1, shard = 0;
};

/// Buffers for the computations; their content between calls does not matter.
struct training_scratch {
  std::vector<float> turn;
  row_buffer gemm, panels;
  row_buffer queries, keys, turned_keys, values, turned_values, output_gradients; // Of a head and a sequence, in panels.
  row_buffer scores, score_gradients;
  row_buffer query_gradient, key_gradient, value_gradient;
  row_buffer patches, embedded, embedding_gradient; // Of an embedding: of an image, and before its norm.
  std::vector<row_buffer> sums; // By depth of a sum tree.
};

struct projection_gradient;

/// y = x Wᵀ + b for some rows of W. x: [rows, inputs]; y: [rows, rows().count]. A shard may have none of the rows: then `weight` is
/// empty, and forward, add_gradients and prepare do nothing.
class trainable_projection {
public:
  trainable_projection() = default;
  /// All rows of `tree` that the cut has, or `rows` in one piece.
  trainable_projection(tensor_key key, const sum_tree& tree, training_cut cut, uint32_t inputs, bool has_bias);
  trainable_projection(tensor_key key, range rows, uint32_t inputs, bool has_bias);

  range rows() const { return weight.slice.rows; }
  void forward(const_rows x, mutable_rows y, training_scratch& scratch) const;
  /// Adds to the gradients. dy: [rows, rows().count]; x: where several projections have the same input, laid out once for all.
  void add_gradients(const_rows x, const_rows dy, training_scratch& scratch);
  void add_gradients(const gemm_panels& x, const_rows dy, training_scratch& scratch);
  /// dx = dy W, or added to dx, with all our rows in one sum. dx: [rows, inputs]
  void input_gradient(const_rows dy, mutable_rows dx, bool add, training_scratch& scratch) const;
  /// Both. dy: the columns of all shards, of which ours are used; sums: what dx is the sum of, see the function below.
  void backward(const_rows x, const_rows dy, std::span<const mutable_rows> sums, training_scratch& scratch);
  const std::vector<tree_node>& nodes() const { return nodes_; }
  /// To be called when the weight's values have changed: forward and input_gradient multiply by copies.
  void prepare();

  parameter weight, bias;

private:
  friend void input_gradient(std::span<const projection_gradient>, std::span<const mutable_rows>, training_scratch&);
  std::vector<range> leaves_;     // By leaf of the tree, from the first of ours on.
  std::vector<tree_node> nodes_;
  uint32_t first_leaf_ = 0;
  gemm_panels forward_panels() const;  // [inputs, outputs]
  gemm_panels backward_panels() const; // [outputs, inputs]
  row_buffer forward_panels_, backward_panels_;
};

/// Some projections of the same input, cut alike, with the gradients of what they gave.
struct projection_gradient {
  const trainable_projection* of;
  const_rows dy; // [rows, of->rows().count]
};
/// dx = sum of dy W over all of them, in the order of the sum tree: sums[i], [rows, inputs], becomes that of nodes()[i]. Within a leaf
/// the rows of the first come first.
void input_gradient(std::span<const projection_gradient> gradients, std::span<const mutable_rows> sums,
                    training_scratch& scratch);

/// Some whole sequences, row after row, of different lengths: nothing is filled up, so that a sequence's results do not depend on its
/// company.
struct sequence_rows {
  const_rows rows;
  std::span<const uint32_t> lengths; // They sum up to the rows.
};

/// y = normalize(x), row by row.
struct trainable_norm {
  norm_spec spec;
  parameter weight, bias;
  trainable_norm() = default;
  trainable_norm(norm_spec what, tensor_key key, uint32_t width, bool has_bias);
  void forward(const_rows x, mutable_rows y) const;
  /// dx += the gradient of x.
  void backward(const_rows x, const_rows dy, mutable_rows dx);
};

/// The parameters of a layer's query and key norms, where it has them.
std::vector<parameter*> parameters_of(std::optional<trainable_norm>& query_norm, std::optional<trainable_norm>& key_norm);

/// What a head keeps of a micro-batch.
struct kept_head {
  row_buffer query, key, value;  // As they are multiplied: [rows, output_columns()], [source rows, head_dim], [source rows, head_dim].
  row_buffer raw_query, raw_key; // Before their norms, of the same shapes; only where there are norms.
};

/// One key/value head with the query heads that share it: their attention's output before the output matrix. Its keys and values are
/// those of `source`: of x itself, or in cross-attention (§3.2.3) of what left the encoder.
struct trainable_head {
  attention_spec spec;
  uint32_t index = 0;
  bool is_cross = false; // Then there are neither norms nor positions.
  trainable_projection query, key, value;
  std::optional<trainable_norm> query_norm, key_norm; // Copies: all heads of a layer have the same, and the layer owns them.
  std::shared_ptr<const rope_table> rope;

  uint32_t output_columns() const { return spec.group() * spec.head_dim; }
  /// x: [rows, width]; sequences begin at position 0; source: x again, or in cross-attention a sequence, not empty, for each of x's;
  /// out: [rows, output_columns()].
  void forward(const sequence_rows& x, const sequence_rows& source, mutable_rows out, kept_head& kept, training_scratch& scratch) const;
  /// dout: [rows, output_columns()]; dx: [rows, width], written; dsource: in cross-attention the same for the source, else dx again.
  void backward(const sequence_rows& x, const sequence_rows& source, const kept_head& kept, const_rows dout, mutable_rows dx,
                mutable_rows dsource, training_scratch& scratch);
  std::vector<parameter*> parameters();
  void prepare();
};

/// What a shard keeps of a micro-batch: the inner activations before the activation function, [rows, its inner columns].
struct kept_inner {
  row_buffer gate, up;
};

/// A layer's output rows of the attention's output matrix and of the feed-forward's matrices. The functions' `out` are our own columns
/// of the result; nothing is done where we have no rows.
struct trainable_shard {
  feed_forward_spec feed_forward;
  trainable_projection output; // [some of width, heads * head_dim]
  trainable_projection cross_output; // The same of cross-attention, where there is one.
  trainable_projection gate, up; // [some of the inner width, width]
  trainable_projection down; // [some of width, inner width]

  // Of gate and up with the activation; the other matrices are products by themselves.
  void inner(const_rows x, mutable_rows out, kept_inner& kept, training_scratch& scratch) const;
  /// Uses `kept` up. dy: all columns of the result, of which this shard takes its own; sums: as for input_gradient.
  void inner_backward(const_rows x, kept_inner& kept, const_rows dy, std::span<const mutable_rows> sums,
                      training_scratch& scratch);
  std::vector<parameter*> parameters();
  void prepare();
};

/// What the layer itself does.
struct trainable_layer {
  norm_place norms = norm_place::before;
  trainable_norm attention_norm, feed_forward_norm;
  std::optional<trainable_norm> cross_attention_norm;
  std::optional<trainable_norm> query_norm, key_norm; // Its heads have copies.
  std::vector<parameter*> parameters();
};

/// What enters the embedding. Of each row: segments may be empty: all of segment 0.
struct embedding_input {
  std::span<const uint32_t> tokens, positions, segments = {};
  std::span<const float> pixels = {}; // Of images, [images, channels, height, width]: what follows their class tokens.
};

/// What a token's row begins with, see embedding_spec.
struct trainable_embedding {
  embedding_spec spec;
  bool is_tied = false; // Then others own the table, and this is a copy of it: its gradient is for them.
  parameter table, positions, segments;
  trainable_projection patches; // Of images: [width, patch elements].
  std::vector<float> sinusoids; // [positions, width], where positions are sinusoidal.
  std::optional<trainable_norm> norm;
  std::optional<trainable_norm> source_norm; // A decoder's: the encoder's final norm, which is applied where its result enters.
  /// out: [rows, width]
  void forward(const embedding_input& in, mutable_rows out, training_scratch& scratch) const;
  void backward(const embedding_input& in, const_rows dout, training_scratch& scratch);
  std::vector<parameter*> parameters(); // Those that it owns.
  void prepare();

private:
  void sum(const embedding_input& in, mutable_rows out, training_scratch& scratch) const; // Before the norm.
  bool is_patch(uint32_t row) const { return spec.image && row % spec.image->rows() > 0; }
};

/// The loss of some rows: cross-entropy with label smoothing (§5.4): of a row with logits x and target t among n classes
///   log_sum(x) - (1 - smoothing) x[t] - smoothing mean(x).
struct loss_sums {
  double loss = 0;      // Sum over the rows with a target.
  uint64_t targets = 0, hits = 0; // Rows with a target; those of them whose target has the largest logit (alone or with others).
};

/// What a shard keeps of a micro-batch: its logits, [rows, its range of the columns].
struct kept_logits {
  row_buffer logits;
};

/// What a shard says of a row: the sums of each of its leaves of the columns, and the target's logit where it has it.
struct row_facts {
  std::vector<logit_sums> leaves; // [rows, leaves of the shard]
  std::vector<float> target_logits; // [rows], 0 where the target is not in the range.
};

/// The output matrix, and that of the transform before it where there is one: some of the rows of each. A row of logits has as many
/// columns as the vocabulary has tokens, or as there are labels.
struct trainable_output_shard {
  trainable_projection output; // [some of the columns, width]
  trainable_projection transform; // [some of width, width]
  uint32_t columns = 0;
  std::vector<range> leaves;   // Of the columns.
  row_facts forward(const_rows x, std::span<const int32_t> targets, kept_logits& kept, training_scratch& scratch) const;
  /// log_sums: [rows]; scale: of the loss of a row; uses `kept` up.
  void backward(const_rows x, std::span<const int32_t> targets, std::span<const float> log_sums, float scale, float smoothing,
                kept_logits& kept, std::span<const mutable_rows> sums, training_scratch& scratch);
  std::vector<parameter*> parameters();
  void prepare();
};

/// The final norm where there is one, the transform's activation and norm, and the loss of all shards' logits; see output_spec.
struct trainable_output {
  output_spec spec;
  uint32_t columns = 0;
  std::optional<trainable_norm> norm, transform_norm;
  /// How many rows of logits there are for sequences of these lengths.
  uint32_t rows_of_results(std::span<const uint32_t> lengths) const;
  /// out = scale * norm(x), of the rows that have results: [rows of results, width].
  void enter(const sequence_rows& x, mutable_rows out) const;
  /// dx, which was 0, becomes the gradient of x.
  void enter_backward(const sequence_rows& x, const_rows dout, mutable_rows dx);
  /// After the transform's product y: out = norm(act(y)).
  void finish_transform(const_rows y, mutable_rows out) const;
  /// gradient: of what finish_transform gave; becomes that of y.
  void finish_transform_backward(const_rows y, mutable_rows gradient);
  /// Puts together what the shards say, in their order. log_sums: [rows], filled. A target is below `columns` or no_target.
  loss_sums loss(std::span<const row_facts> shards, std::span<const int32_t> targets, float smoothing,
                 std::vector<float>& log_sums) const;
  std::vector<parameter*> parameters();
};

/// The parts of a stack.
struct trainable_stack {
  trainable_embedding embedding;
  std::vector<trainable_layer> layers;
  std::vector<std::vector<trainable_head>> heads, cross_heads; // [layer][key/value head]
  std::vector<std::vector<trainable_shard>> shards;            // [layer][shard]
};

/// All parts of a model, with zero values.
struct trainable_model : trainable_stack {
  model_spec spec;
  bool is_tied = false;
  std::optional<trainable_stack> encoder;
  trainable_output output;
  std::vector<trainable_output_shard> output_shards;

  std::vector<parameter*> parameters();
  /// Adds the gradients of copies to those of their owners, in the order of the copies, and sets them to 0.
  void collect_copies();
  /// Gives copies the values of their owners.
  void refresh_copies();
  void prepare();
};

/// Which layer of a model.
struct layer_id {
  uint32_t index = 0;
  bool of_encoder = false;
  layer_id(uint32_t i, bool encoder = false) : index(i), of_encoder(encoder) {}
};

/// Makes the parts of a model, each by itself.
///
/// The token embedding is one parameter, whoever else uses it: the output's shards own it where it is the output matrix too, else the
/// (decoder's) embedding does; the other embeddings have copies.
class trainable_builder {
public:
  /// Throws input_error for a model that cannot be trained: one that ends in hidden states or in the spans of answers, or has relative
  /// positions.
  /// `tensors` says which tensors there are, and their values; those without bytes give zeros. What the views refer to must exist as
  /// long as the builder fills.
  trainable_builder(model_spec spec, model_tensors tensors, uint32_t shards, uint32_t leaf_rows_min = 128);
  const model_spec& spec() const { return spec_; }
  uint32_t shards() const { return shards_; }
  uint32_t leaf_rows_min() const { return leaf_rows_min_; }
  bool is_tied() const { return troupe::is_tied(tensors_); }
  bool shares_embedding() const { return troupe::shares_embedding(tensors_); }
  const stack_spec& stack(bool of_encoder) const { return of_encoder ? *spec_.encoder : spec_; }
  uint32_t columns() const { return uint32_t(tensors_.output.weight.rows); } // Of a row of logits.
  const std::vector<keyed_tensor>& tensors() const { return keyed_; }

  // With zero values.
  trainable_embedding embedding(bool of_encoder = false) const;
  trainable_layer layer(layer_id layer) const;
  trainable_head head(layer_id layer, uint32_t index) const;
  trainable_head cross_head(uint32_t layer, uint32_t index) const;
  trainable_shard shard(layer_id layer, uint32_t index) const;
  trainable_output output() const;
  trainable_output_shard output_shard(uint32_t index) const;
  /// Gives parameters the values of the tensors.
  void fill(const std::vector<parameter*>& parameters) const;
  /// All parts, with the values of the tensors.
  trainable_model all() const;

private:
  trainable_stack stack_parts(bool of_encoder) const;

  model_spec spec_;
  model_tensors tensors_;
  uint32_t shards_, leaf_rows_min_;
  std::vector<keyed_tensor> keyed_;                      // Views into tensors_.
  std::vector<std::shared_ptr<const rope_table>> ropes_[2]; // Of the stack and of the encoder, by layer.
};

} // namespace troupe
