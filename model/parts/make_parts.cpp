#include "model/error.hpp"
#include "model/kernels/dequantize.hpp"
#include "model/kernels/weight_memory.hpp"
#include "model/parts.hpp"
#include "model/parts/check_tensors.hpp"
#include <algorithm>
#include <atomic>

namespace troupe {
namespace {

range whole(uint64_t rows) { return {0, uint32_t(rows)}; }

std::vector<float> slice_of(const std::optional<stored_tensor>& vector, range elements) {
  if (!vector) return {};
  const std::vector<float> all = dequantize(*vector);
  const auto first = all.begin() + elements.first;
  return {first, first + elements.count};
}

norm_weights norm_of(const norm_spec& spec, const norm_tensors& tensors) {
  return {spec, dequantize(tensors.weight), slice_of(tensors.bias, whole(tensors.weight.columns))};
}

/// Collects one job per matrix to pack. Jobs write into projections that must stay where they are, and count
/// what they have done; they share nothing else. All matrices are in one piece of memory, in the order of `add`, which is
/// the order of use.
class packing {
public:
  packing(kept_sums keep, const progress_callback& progress) : keep_(keep), progress_(progress) {}

  void add(projection& into, const projection_tensors& source, range rows) {
    if (rows.count == 0) return;
    into.bias = slice_of(source.bias, rows);
    const stored_tensor slice = into.source = source.weight.row_slice(rows.first, rows.count);
    bytes_total_ += slice.bytes();
    const uint64_t offset = weight_bytes_;
    weight_bytes_ += packed_matrix::packed_bytes(slice, keep_);
    jobs_.push_back([this, &into, slice, offset] {
      into.matrix = packed_matrix::pack(slice, cut(memory_, offset), keep_, keep_ == kept_sums::none ? nullptr : &into.content);
      note_done(slice.bytes());
    });
  }

  /// A table that is used as it is in the file. into: in memory of its own.
  void add(tensor_view& into, const stored_tensor& source, weight_memory memory) {
    bytes_total_ += source.bytes();
    const std::span<std::byte> bytes{reinterpret_cast<std::byte*>(memory.get()), source.bytes()};
    into = {source.name, source.type, source.rows, source.columns, bytes};
    jobs_.push_back([this, source, bytes] {
      source.from->read(source.offset, bytes);
      note_done(bytes.size());
    });
  }

  /// Returns the memory that the packed matrices take.
  uint64_t run(const job_runner& run_jobs) {
    memory_ = allocate_weights(weight_bytes_);
    run_jobs(std::move(jobs_));
    TROUPE_ASSERT(bytes_done_ == bytes_total_);
    return weight_bytes_;
  }

private:
  void note_done(uint64_t bytes) {
    const uint64_t done = bytes_done_ += bytes;
    if (progress_) progress_(double(done) / double(bytes_total_));
  }

  kept_sums keep_;
  const progress_callback& progress_;
  std::vector<std::function<void()>> jobs_;
  // Of the file's tensors, and of the packed ones; fixed before the first job runs.
  uint64_t bytes_total_ = 0, weight_bytes_ = 0;
  weight_memory memory_;
  std::atomic<uint64_t> bytes_done_{0};
};

/// Layers mostly rotate by the same angles: one table for each rope_spec that differs.
class rope_tables {
public:
  explicit rope_tables(uint32_t positions) : positions_(positions) {}

  std::shared_ptr<const rope_table> get(const rope_spec& spec) {
    if (spec.kind == rope_kind::none) return nullptr;
    for (const auto& [known, table] : tables_)
      if (known == spec) return table;
    return tables_.emplace_back(spec, std::make_shared<const rope_table>(spec, positions_)).second;
  }

private:
  uint32_t positions_;
  std::vector<std::pair<rope_spec, std::shared_ptr<const rope_table>>> tables_;
};

std::shared_ptr<const attention_head_part> make_head(packing& work, const attention_spec& spec,
                                                     const attention_tensors& tensors, uint32_t index,
                                                     std::shared_ptr<const rope_table> rope, cache_type cached) {
  const auto part = std::make_shared<attention_head_part>();
  part->spec = spec;
  part->index = index;
  part->rope = std::move(rope);
  part->cached = cached;
  if (spec.query_key_norm) {
    part->query_norm = norm_of(*spec.query_key_norm, *tensors.query_norm);
    part->key_norm = norm_of(*spec.query_key_norm, *tensors.key_norm);
  }
  work.add(part->query, tensors.query, {index * part->output_columns(), part->output_columns()});
  work.add(part->key, tensors.key, {index * spec.head_dim, spec.head_dim});
  work.add(part->value, tensors.value, {index * spec.head_dim, spec.head_dim});
  return part;
}

std::shared_ptr<const projection_shard_part> make_shard(packing& work, const layer_spec& spec,
                                                        const layer_tensors& tensors, uint32_t width,
                                                        uint32_t shards, uint32_t shard) {
  const auto part = std::make_shared<projection_shard_part>();
  part->feed_forward = spec.feed_forward;
  part->width_range = shard_range(width, shards, shard);
  part->inner_range = shard_range(spec.feed_forward.width, shards, shard);
  work.add(part->output, tensors.attention.output, part->width_range);
  if (spec.feed_forward.gated) work.add(part->gate, *tensors.feed_forward.gate, part->inner_range);
  work.add(part->up, tensors.feed_forward.up, part->inner_range);
  work.add(part->down, tensors.feed_forward.down, part->width_range);
  return part;
}

std::shared_ptr<const layer_part> make_layer(packing& work, rope_tables& ropes, const layer_spec& spec,
                                             const layer_tensors& tensors, uint32_t width, const partition& cut) {
  const auto part = std::make_shared<layer_part>();
  part->attention_norm = norm_of(spec.norm, tensors.attention_norm);
  part->feed_forward_norm = norm_of(spec.norm, tensors.feed_forward_norm);
  for (uint32_t index = 0; index < spec.attention.kv_heads; ++index)
    part->heads.push_back(
        make_head(work, spec.attention, tensors.attention, index, ropes.get(spec.attention.rope), cut.cached));
  for (uint32_t shard = 0; shard < cut.shards; ++shard)
    part->shards.push_back(make_shard(work, spec, tensors, width, cut.shards, shard));
  return part;
}

void read_embedding(packing& work, embedding_part& into, const model_spec& spec, const model_tensors& tensors) {
  const uint64_t table = (tensors.embedding.bytes() + 63) / 64 * 64;
  into.memory = allocate_weights(table + (spec.learned_positions ? tensors.positions->bytes() : 0));
  work.add(into.table, tensors.embedding, into.memory);
  if (spec.learned_positions) work.add(into.positions.emplace(), *tensors.positions, cut(into.memory, table));
}

output_part make_output(packing& work, const model_spec& spec, const model_tensors& tensors,
                        uint32_t shards) {
  output_part part;
  part.norm = norm_of(spec.final_norm, tensors.final_norm);
  for (uint32_t shard = 0; shard < shards; ++shard) {
    const auto cut = std::make_shared<output_shard_part>();
    cut->vocabulary_range = shard_range(spec.vocabulary, shards, shard);
    work.add(cut->output, tensors.output, cut->vocabulary_range);
    part.shards.push_back(cut);
  }
  return part;
}

} // namespace

void run_in_order(std::vector<std::function<void()>> jobs) {
  for (const auto& job : jobs) job();
}

std::shared_ptr<const model_parts> make_parts(std::shared_ptr<const model_file> file, partition cut,
                                              const job_runner& run, const progress_callback& progress) {
  TROUPE_ASSERT(file != nullptr);
  TROUPE_ASSERT(cut.shards > 0);
  TROUPE_ASSERT(cut.positions_max > 0);
  check_tensors(*file);
  const model_spec& spec = file->spec;
  const model_tensors& tensors = file->tensors;

  const auto parts = std::make_shared<model_parts>();
  parts->file = file;
  parts->spec = spec;
  parts->positions_max = std::min(spec.context_length, cut.positions_max);
  packing work{cut.keep, progress};
  read_embedding(work, parts->embedding, spec, tensors);
  rope_tables ropes{parts->positions_max};
  for (size_t i = 0; i < spec.layers.size(); ++i)
    parts->layers.push_back(
        make_layer(work, ropes, spec.layers[i], tensors.layers[i], spec.width, cut));
  parts->output = make_output(work, spec, tensors, cut.shards);
  parts->weight_bytes = work.run(run);
  for (const auto& one : file->files) one->require_unchanged();
  return parts;
}

} // namespace troupe
