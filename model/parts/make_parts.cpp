#include "model/error.hpp"
#include "model/kernels/dequantize.hpp"
#include "model/kernels/weight_memory.hpp"
#include "model/parts.hpp"
#include "model/parts/check_tensors.hpp"
#include "model/parts/quantised_tensor.hpp"
#include "model/parts/sinusoids.hpp"
#include <algorithm>
#include <atomic>
#include <map>
#include <tuple>

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

std::optional<norm_weights> norm_of(const std::optional<norm_spec>& spec, const std::optional<norm_tensors>& tensors) {
  if (!spec) return std::nullopt;
  return norm_of(*spec, *tensors);
}

/// Collects one job per matrix to pack. Jobs write into projections that must stay where they are, and count
/// what they have done; they share nothing else. All matrices are in one piece of memory, in the order of `add`, which is
/// the order of use.
class packing {
public:
  packing(const partition& cut, const progress_callback& progress) : keep_(cut.keep), as_q8_0_(cut.as_q8_0), progress_(progress) {}

  void add(projection& into, const projection_tensors& source, range rows) {
    add(into, source, rows, as_q8_0_ ? as_q8_0(source.weight) : source.weight, keep_);
  }
  /// As it is in the file, without sums.
  void add_plain(projection& into, const projection_tensors& source) {
    add(into, source, whole(source.weight.rows), source.weight, kept_sums::none);
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
  void add(projection& into, const projection_tensors& source, range rows, const stored_tensor& weight, kept_sums keep) {
    if (rows.count == 0) return;
    into.bias = slice_of(source.bias, rows);
    const stored_tensor slice = into.source = weight.row_slice(rows.first, rows.count);
    bytes_total_ += slice.bytes();
    const uint64_t offset = weight_bytes_;
    weight_bytes_ += packed_matrix::packed_bytes(slice, keep);
    jobs_.push_back([this, &into, slice, offset, keep] {
      into.matrix = packed_matrix::pack(slice, cut(memory_, offset), keep, keep == kept_sums::none ? nullptr : &into.content);
      note_done(slice.bytes());
    });
  }

  void note_done(uint64_t bytes) {
    const uint64_t done = bytes_done_ += bytes;
    if (progress_) progress_(double(done) / double(bytes_total_));
  }

  kept_sums keep_;
  bool as_q8_0_;
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

/// table: [buckets, heads].
std::shared_ptr<const relative_bias> make_bias(const attention_spec& spec, const stored_tensor& table, uint32_t head, uint32_t positions) {
  constexpr uint64_t page = kv_cache::page_positions; // Kernels read whole pages.
  const auto shared = std::make_shared<relative_bias>(relative_bias{positions, 2 * uint64_t(positions) + page, {}});
  relative_bias& bias = *shared;
  bias.values.resize(spec.group() * bias.stride);
  const std::vector<float> numbers = dequantize(table);
  for (uint32_t i = 0; i < spec.group(); ++i)
    for (uint64_t at = 0; at < 2 * uint64_t(positions); ++at) {
      const uint32_t bucket = relative_bucket(*spec.relative_positions, int64_t(at) - positions);
      bias.values[i * bias.stride + at] = numbers[uint64_t(bucket) * spec.heads + head * spec.group() + i];
    }
  return shared;
}

/// All layers of a stack have the same: those of each head once.
class relative_biases {
public:
  explicit relative_biases(uint32_t positions) : positions_(positions) {}

  std::shared_ptr<const relative_bias> get(const attention_spec& spec, const attention_tensors& tensors, uint32_t head) {
    if (!spec.relative_positions) return nullptr;
    const stored_tensor& table = *tensors.relative_positions;
    auto& known = tables_[{table.from.get(), table.offset, head}];
    if (!known) known = make_bias(spec, table, head, positions_);
    return known;
  }

private:
  uint32_t positions_;
  std::map<std::tuple<const byte_source*, uint64_t, uint32_t>, std::shared_ptr<const relative_bias>> tables_;
};

std::shared_ptr<const attention_head_part> make_head(packing& work, const attention_spec& spec,
                                                     const attention_tensors& tensors, uint32_t index,
                                                     std::shared_ptr<const rope_table> rope,
                                                     std::shared_ptr<const relative_bias> bias, cache_type cached) {
  const auto part = std::make_shared<attention_head_part>();
  part->spec = spec;
  part->index = index;
  part->rope = std::move(rope);
  part->cached = cached;
  if (spec.query_key_norm) {
    part->query_norm = norm_of(*spec.query_key_norm, *tensors.query_norm);
    part->key_norm = norm_of(*spec.query_key_norm, *tensors.key_norm);
  }
  part->bias = std::move(bias);
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
  if (tensors.cross_attention) work.add(part->cross_output, tensors.cross_attention->output, part->width_range);
  if (spec.feed_forward.gated) work.add(part->gate, *tensors.feed_forward.gate, part->inner_range);
  work.add(part->up, tensors.feed_forward.up, part->inner_range);
  work.add(part->down, tensors.feed_forward.down, part->width_range);
  return part;
}

std::shared_ptr<const layer_part> make_layer(packing& work, rope_tables& ropes, relative_biases& biases, const layer_spec& spec,
                                             const layer_tensors& tensors, uint32_t width, const partition& cut) {
  const auto part = std::make_shared<layer_part>();
  part->norms = spec.norms;
  part->attention_norm = norm_of(spec.norm, tensors.attention_norm);
  part->feed_forward_norm = norm_of(spec.norm, tensors.feed_forward_norm);
  for (uint32_t index = 0; index < spec.attention.kv_heads; ++index)
    part->heads.push_back(
        make_head(work, spec.attention, tensors.attention, index, ropes.get(spec.attention.rope),
                  biases.get(spec.attention, tensors.attention, index), cut.cached));
  if (spec.cross_attention) {
    part->cross_attention_norm = norm_of(spec.norm, *tensors.cross_attention_norm);
    for (uint32_t index = 0; index < spec.cross_attention->kv_heads; ++index)
      part->cross_heads.push_back(
          make_head(work, *spec.cross_attention, *tensors.cross_attention, index, nullptr, nullptr, cut.cached));
  }
  for (uint32_t shard = 0; shard < cut.shards; ++shard)
    part->shards.push_back(make_shard(work, spec, tensors, width, cut.shards, shard));
  return part;
}

void read_embedding(packing& work, embedding_part& into, const embedding_spec& spec, const stack_tensors& tensors,
                    uint32_t positions) {
  const stored_tensor* tables[] = {spec.audio ? nullptr : &tensors.embedding, tensors.positions ? &*tensors.positions : nullptr,
                                   tensors.segments ? &*tensors.segments : nullptr};
  const auto bytes_of = [](const stored_tensor* table) { return table != nullptr ? (table->bytes() + 63) / 64 * 64 : 0; };
  into.spec = spec;
  into.memory = allocate_weights(bytes_of(tables[0]) + bytes_of(tables[1]) + bytes_of(tables[2]));
  if (tables[0] != nullptr) work.add(into.table, *tables[0], into.memory);
  if (tables[1] != nullptr) work.add(into.positions.emplace(), *tables[1], cut(into.memory, bytes_of(tables[0])));
  if (tables[2] != nullptr)
    work.add(into.segments.emplace(), *tables[2], cut(into.memory, bytes_of(tables[0]) + bytes_of(tables[1])));
  if (spec.image) work.add_plain(into.patches, *tensors.patches);
  into.convolutions.resize(tensors.convolutions.size()); // Where they stay.
  for (size_t i = 0; i < tensors.convolutions.size(); ++i) work.add_plain(into.convolutions[i], tensors.convolutions[i]);
  into.sinusoids = make_sinusoids(spec.positions, positions, uint32_t(tensors.embedding.columns));
  into.norm = norm_of(spec.norm, tensors.embedding_norm);
}

/// In place: jobs refer to the embedding.
void make_stack(packing& work, stack_part& into, const stack_spec& spec, const stack_tensors& tensors, uint32_t width,
                const partition& cut, range only) {
  into.positions_max = std::min(spec.context_length, cut.positions_max);
  if (cut.only.ends) read_embedding(work, into.embedding, spec.embedding, tensors, into.positions_max);
  rope_tables ropes{into.positions_max};
  relative_biases biases{into.positions_max};
  for (size_t i = 0; i < spec.layers.size(); ++i)
    into.layers.push_back(i - only.first < only.count ? make_layer(work, ropes, biases, spec.layers[i], tensors.layers[i], width, cut)
                                                      : nullptr);
}

output_part make_output(packing& work, const model_spec& spec, const model_tensors& tensors, uint32_t shards) {
  output_part part;
  part.spec = spec.output;
  part.final_norm = norm_of(spec.final_norm, tensors.final_norm);
  if (spec.output.transform) part.transform_norm = norm_of(spec.output.transform->norm, tensors.output_transform_norm);
  for (uint32_t shard = 0; shard < shards; ++shard) {
    const auto cut = std::make_shared<output_shard_part>();
    cut->columns = shard_range(spec.output.columns, shards, shard);
    if (spec.output.transform) {
      cut->transform_columns = shard_range(spec.width, shards, shard);
      work.add(cut->transform, *tensors.output_transform, cut->transform_columns);
    }
    if (spec.output.kind != output_spec::result::hidden_states) work.add(cut->output, tensors.output, cut->columns);
    part.shards.push_back(cut);
  }
  return part;
}

} // namespace

void run_in_order(std::vector<std::function<void()>> jobs) {
  for (const auto& job : jobs) job();
}

cache_type usual_cache_type(const model_file& model, bool as_q8_0) {
  const auto type = model.tensors.layers.empty() ? tensor_type::f32 : model.tensors.layers.front().attention.key.weight.type;
  return type == tensor_type::f32 && !as_q8_0 ? cache_type::f32 : cache_type::f16;
}

uint64_t cached_position_bytes(const model_spec& spec, cache_type cached) {
  uint64_t elements = 0;
  for (const auto& layer : spec.layers) elements += uint64_t(layer.attention.kv_heads) * layer.attention.head_dim * 2;
  return elements * bytes_of(cached);
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
  packing work{cut, progress};
  if (spec.encoder) {
    make_stack(work, parts->encoder.emplace(), *spec.encoder, *tensors.encoder, spec.width, cut, cut.only.encoder_layers);
    parts->encoder_norm = norm_of(spec.encoder->final_norm, tensors.encoder->final_norm);
  }
  make_stack(work, *parts, spec, tensors, spec.width, cut, cut.only.layers);
  if (cut.only.ends) parts->output = make_output(work, spec, tensors, cut.shards);
  parts->weight_bytes = work.run(run);
  for (const auto& one : file->files) one->require_unchanged();
  return parts;
}

} // namespace troupe
