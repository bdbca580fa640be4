#pragma once
// A part is what one actor computes with: an immutable slice of the model's weights, and the maths done with it. Each part
// belongs to exactly one actor. model/reference.hpp runs the same parts one after the other, without actors: the results of the
// actors must equal its results bit for bit.
//
// Partition. One attention head part per key/value head, with the query heads that share it. All other
// matrices are split by output rows into shards (tensor parallelism). How they are split never changes a bit of the result
// (model/kernels/matrix.hpp).
//
// All forward functions are const and may run at the same time on one part, each with a scratch of its own.
// Wrong shapes are broken invariants. Non-finite input gives non-finite output in the rows it came in, never
// an exception: the caller checks is_finite() where it wants to know.
#include "model/jobs.hpp"
#include "model/kernels/attention.hpp"
#include "model/kernels/matrix.hpp"
#include "model/kernels/row_buffers.hpp"
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

/// The rows of shard `shard` of `shards`: contiguous, in order, multiples of 32 except at the end. May be
/// empty.
range shard_range(uint32_t rows, uint32_t shards, uint32_t shard);

/// Names the content of some rows, so that what was made of them need not be made again: the same rows under the same name have the same
/// content. All zeros: no name.
struct content_name {
  uint64_t of[4] = {0, 0, 0, 0};
  bool operator==(const content_name&) const = default;
};

/// Activations in the forms that products want, each made when a matrix first asks for it and kept for the
/// others. Refers to the rows given to `assign`, which must exist as long as `as` is called.
class product_input {
public:
  /// name: several heads that one thread runs, one after the other, get the same rows; the forms are then made once.
  void assign(const_rows x, content_name name = {});
  const operand& as(operand_kind kind);
  std::vector<uint32_t>& totals() { return totals_; } // Scratch of multiply_checked.

private:
  const_rows rows_;
  content_name name_;
  operand operands_[2]; // By operand_kind.
  bool ready_[2] = {false, false};
  std::vector<uint32_t> totals_;
};

/// The rotations of a step's rows: computed by the first head that asks, kept for the others, which ask for the same ones.
class row_turns {
public:
  /// That of position `position`, for row `row`. Valid until the next call.
  std::span<const float> of(const std::shared_ptr<const rope_table>& rope, uint32_t row, uint32_t position);

private:
  std::shared_ptr<const rope_table> rope_;
  std::vector<int64_t> positions_; // Of each row; -1: none yet.
  std::vector<float> turns_;       // [rows, size of a turn]
};

/// Buffers in which parts compute. The caller owns one, passes it to every call and keeps it, so that a step allocates
/// nothing once the largest step has been run. Its content between calls does not matter; any part may use any scratch. Not
/// thread-safe.
struct part_scratch {
  product_input input;
  row_buffer query;           // One head's: [rows, group * head_dim]
  row_buffer key, value;      // [rows, head_dim]
  row_turns turns;
  std::vector<float> weights; // For attend().
  std::vector<float> sums;    // Of the weights of each query: [rows * group]
  row_buffer up;              // The ungated half of a feed-forward: [rows, inner_range.count]
  row_buffer row;             // One learned position or segment: [width]
  row_buffer patches;         // Of one image: [patches, patch_elements]; of sound: [frames, elements of a window]
  row_buffer frames, channels; // What the first convolution makes of sound: [frames, width], and transposed.
  kv_cache cache;             // Of the sequence at hand, where a head keeps none.
};

struct norm_weights {
  norm_spec spec;
  std::vector<float> weight, bias;                  // [width]; bias may be empty.
  void apply(const_rows x, mutable_rows out) const; // Row by row; out may be x.
};

struct projection {
  std::shared_ptr<const packed_matrix> matrix; // [outputs, inputs]; null when outputs are 0.
  std::vector<float> bias;                     // [outputs] or empty.
  stored_tensor source;                        // What `matrix` was packed from: the model's file,
  uint64_t content = 0;                        // and a hash of what was there, if the matrix keeps sums.
  uint32_t outputs() const { return matrix ? matrix->rows() : 0; }
  /// out = input Wᵀ + bias. Nothing when outputs are 0. Throws wrong_bits when multiply_checked finds the product
  /// wrong.
  void apply(product_input& input, mutable_rows out) const;
};

/// Looks up token embeddings, or convolves images to patches or sound to rows; scales them and adds positions and segments where a stack
/// has them; see embedding_spec (§3.4 and §3.5 of "Attention Is All You Need"), image_spec and audio_spec. Stateless.
struct embedding_part {
  embedding_spec spec;
  tensor_view table;                    // [vocabulary, width], of the file's type, in `memory`; empty where rows are of sound.
  std::optional<tensor_view> positions; // [position_offset + context_length, width]
  std::optional<tensor_view> segments;  // [spec.segments, width]
  weight_memory memory;
  std::vector<float> sinusoids;         // [positions_max, width], where positions are sinusoidal.
  std::optional<norm_weights> norm;
  projection patches; // [width, patch_elements], where the rows are of images. As in the file: neither made Q8_0 nor with sums.
  std::vector<projection> convolutions; // [width, 3 * bins] and [width, 3 * width], where the rows are of sound. As in the file, too.
  /// out: [tokens.size(), width]; positions_of[i] < context_length, tokens[i] < vocabulary, segments_of[i] < spec.segments, all
  /// asserted. segments_of: empty stands for segment 0 everywhere. features: where rows are of images or sound, those of each one whose
  /// rows these are, [images or sounds, elements], and the rows are all of each of them in order.
  void forward(std::span<const uint32_t> tokens, std::span<const uint32_t> positions_of, std::span<const uint32_t> segments_of,
               mutable_rows out, part_scratch& scratch, std::span<const float> features = {}) const;
};

/// Consecutive rows of a step that belong to one sequence: rows [.., ..+rows) continue it at
/// `first_position`.
struct head_slice {
  kv_cache* cache = nullptr; // length() >= first_position. Null: a buffer serves; only where all rows see each other.
  uint32_t first_position = 0;
  uint32_t rows = 0;
};

/// The numbers that a head's query heads add to their scores, by distance: see score_bias.
struct relative_bias {
  uint32_t positions = 0;
  uint64_t stride = 0;       // Of a query head.
  std::vector<float> values; // [group][stride]
  score_bias from(uint32_t first_position) const;
};

/// One key/value head with its query heads, of attention within a stack or of cross-attention.
struct attention_head_part {
  attention_spec spec;
  uint32_t index = 0;    // Which key/value head.
  projection query;      // [group * head_dim, width]
  projection key, value; // [head_dim, width]
  std::optional<norm_weights> query_norm, key_norm;
  std::shared_ptr<const rope_table> rope; // Null without rotary positions.
  std::shared_ptr<const relative_bias> bias; // Null without relative positions.

  cache_type cached = cache_type::f32;

  uint32_t output_columns() const { return spec.group() * spec.head_dim; }
  /// An empty cache for this head.
  kv_cache make_cache(bool keep_sums = false, std::shared_ptr<cache_pages> pages = nullptr) const;
  /// Projects x, applies norms and RoPE, writes keys and values of every slice into its cache, attends.
  /// x: [rows, width], the normalised hidden states; slices cover the rows in order;
  /// out: [rows, group * head_dim], query heads in order: the heads' outputs side by side, by index, are what
  /// the output projection takes. The row at position p sees positions [0, p] (all of its slice and what came
  /// before, when not causal). Running a slice again rewrites the same cache and gives the same bits. name: of x.
  void forward(const_rows x, std::span<const head_slice> slices, mutable_rows out,
               part_scratch& scratch, content_name name = {}) const;

  /// Cross-attention (§3.2.3, "encoder-decoder attention"), first half: writes the keys and values of whole source sequences into
  /// their caches. source: [rows, width], what left the encoder; slices cover the rows in order, each from position 0.
  void remember(const_rows source, std::span<const head_slice> slices, part_scratch& scratch) const;
  /// Second half: every row of x attends to all that the cache of its slice holds. out: as in forward.
  void recall(const_rows x, std::span<const head_slice> slices, mutable_rows out, part_scratch& scratch) const;
};

/// A shard of a layer's other matrices: some of their output rows. Stateless: three products, each of which may be
/// repeated.
struct projection_shard_part {
  feed_forward_spec feed_forward;
  range width_range;   // This shard's columns of the hidden state (outputs of `output` and `down`).
  range inner_range;   // This shard's columns of the feed-forward's inner activation.
  projection output;   // [width_range.count, heads * head_dim]
  projection cross_output; // The same of cross-attention, where there is one.
  projection gate, up; // [inner_range.count, width]; gate only when gated.
  projection down;     // [width_range.count, feed_forward.width]
  /// [rows, heads * head_dim] -> [rows, width_range.count]
  void attention_output(const_rows x, mutable_rows out, part_scratch& scratch) const;
  void cross_attention_output(const_rows x, mutable_rows out, part_scratch& scratch) const;
  /// [rows, width] -> [rows, inner_range.count]
  void inner(const_rows x, mutable_rows out, part_scratch& scratch) const;
  /// [rows, feed_forward.width] -> [rows, width_range.count]
  void outer(const_rows x, mutable_rows out, part_scratch& scratch) const;
};

/// What the layer itself does: the norms; the residual sums are add().
struct layer_part {
  norm_place norms = norm_place::before;
  norm_weights attention_norm, feed_forward_norm;
  std::optional<norm_weights> cross_attention_norm;
  std::vector<std::shared_ptr<const attention_head_part>> heads;       // [kv_heads]
  std::vector<std::shared_ptr<const attention_head_part>> cross_heads; // [kv_heads] of cross-attention, or none.
  std::vector<std::shared_ptr<const projection_shard_part>> shards; // [partition.shards]
};

/// A shard of the output's matrices: a range of the columns of its results, and of the transform's.
struct output_shard_part {
  range columns;
  projection output; // [columns.count, width]
  range transform_columns;
  projection transform; // [transform_columns.count, width], where there is one.
  /// x: [rows, width], as output_part::enter and finish_transform leave it; out: [rows, columns.count], logits.
  void forward(const_rows x, mutable_rows out, part_scratch& scratch) const;
  /// The transform's product: x: [rows, width]; out: [rows, transform_columns.count].
  void apply_transform(const_rows x, mutable_rows out, part_scratch& scratch) const;
};

/// What the output itself does with rows; see output_spec.
struct output_part {
  output_spec spec;
  std::optional<norm_weights> final_norm;
  std::optional<norm_weights> transform_norm;
  std::vector<std::shared_ptr<const output_shard_part>> shards; // [partition.shards]
  /// out = scale * final_norm(x). out may be x.
  void enter(const_rows x, mutable_rows out) const;
  /// x = norm(act(x)), after the transform's product.
  void finish_transform(mutable_rows x) const;
};

/// The parts of a stack.
struct stack_part {
  embedding_part embedding;
  std::vector<std::shared_ptr<const layer_part>> layers; // Null where partition::only leaves one out.
  uint32_t positions_max = 0; // min(context_length, partition.positions_max); every position is below it.
};

/// What key/value caches keep where nobody has chosen: f16, where the weights are not more exact themselves (16 bits or fewer, or made
/// Q8_0); else f32.
cache_type usual_cache_type(const model_file& model, bool as_q8_0 = false);
/// Bytes that one position of a sequence takes in the caches of all layers together: a key and a value for each key/value head. Caches
/// grow by pages of kv_cache::page_positions.
uint64_t cached_position_bytes(const model_spec& spec, cache_type cached);

/// Which parts of a model are packed: for a process that computes some of its layers only.
struct part_selection {
  bool ends = true; // Embeddings and output.
  range layers = {0, UINT32_MAX}, encoder_layers = {0, UINT32_MAX};
};

struct partition {
  uint32_t shards = 1; // Of each layer and of the vocabulary; at least 1.
  /// Sequences never grow beyond this, whatever length the model claims to be made for: a bound for the
  /// memory that rotary positions take.
  uint32_t positions_max = 1u << 20;
  // What changes results: what key/value caches keep, and whether matrices of F32, F16 and BF16 become Q8_0.
  cache_type cached = cache_type::f32;
  bool as_q8_0 = false;
  /// Of all packed matrices, for the checks that find wrong bits (model/parts/weights.hpp).
  kept_sums keep = kept_sums::none;
  part_selection only = {}; // What is not selected is not there: layers are null, embeddings and output are empty.
};

struct model_parts : stack_part {
  std::shared_ptr<const model_file> file;
  model_spec spec;
  std::optional<stack_part> encoder;
  std::optional<norm_weights> encoder_norm; // Of what leaves the encoder's last layer.
  output_part output;
  uint64_t weight_bytes = 0;  // Memory of all packed weights.
};

/// Packs the weights of a model, one job per matrix of each head and shard, and reads the embedding into memory: the parts hold all
/// that they compute with, and nothing of it in two places, except that the embedding of a model whose output is tied to it is there
/// once as a table, as in the file, and once packed. After that the files are only read to pack anew what was found to be wrong
/// (model/parts/weights.hpp). Throws input_error when tensors and spec do not fit, and when a file cannot be read to its end or was
/// written to meanwhile. What partition::only leaves out is not read either.
std::shared_ptr<const model_parts> make_parts(std::shared_ptr<const model_file> file, partition cut,
                                              const job_runner& run = run_in_order,
                                              const progress_callback& progress = {});

} // namespace troupe
