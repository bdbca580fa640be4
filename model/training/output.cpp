#include "model/error.hpp"
#include "model/kernels/row_buffers.hpp"
#include "model/kernels/rowwise.hpp"
#include "model/training/trainable_parts.hpp"
#include <algorithm>

namespace troupe {
namespace {

/// Whether the target is in `range`, as a column of it.
std::optional<uint32_t> column_of(int32_t target, range cut) {
  if (target < 0 || uint32_t(target) < cut.first || uint32_t(target) >= cut.first + cut.count) return std::nullopt;
  return uint32_t(target) - cut.first;
}

/// Calls function(row of x, row of results) for all rows that have results.
template <class Function> void each_result(const output_spec& spec, const sequence_rows& x, Function function) {
  if (!spec.of_first_row) {
    for (uint32_t row = 0; row < x.rows.rows; ++row) function(row, row);
    return;
  }
  uint32_t row = 0, sequence = 0;
  for (const uint32_t length : x.lengths) {
    TROUPE_ASSERT(length > 0);
    function(row, sequence++);
    row += length;
  }
  TROUPE_ASSERT(row == x.rows.rows);
}

} // namespace

row_facts trainable_output_shard::forward(const_rows x, std::span<const int32_t> targets, kept_logits& kept,
                                          training_scratch& scratch) const {
  TROUPE_ASSERT(targets.size() == x.rows);
  row_facts facts{{}, std::vector<float>(x.rows)};
  if (!output.weight) return facts;
  const range own = output.rows();
  const mutable_rows logits = rows_of_buffer(kept.logits, x.rows, own.count);
  output.forward(x, logits, scratch);
  for (uint32_t row = 0; row < x.rows; ++row) {
    for (const range leaf : leaves) facts.leaves.push_back(sum_logits(logits.row(row).subspan(leaf.first - own.first, leaf.count)));
    if (const auto column = column_of(targets[row], own)) facts.target_logits[row] = logits.row(row)[*column];
  }
  return facts;
}

void trainable_output_shard::backward(const_rows x, std::span<const int32_t> targets, std::span<const float> log_sums, float scale,
                                      float smoothing, kept_logits& kept, std::span<const mutable_rows> sums,
                                      training_scratch& scratch) {
  if (!output.weight) return;
  const range own = output.rows();
  const mutable_rows logits = rows_of_buffer(kept.logits, x.rows, own.count);
  const float each = smoothing / float(columns);
  for (uint32_t row = 0; row < x.rows; ++row) {
    const auto values = logits.row(row);
    cross_entropy_backward(values, log_sums[row], targets[row] < 0 ? 0.0f : scale, each);
    if (const auto column = column_of(targets[row], own)) values[*column] -= scale * (1 - smoothing);
  }
  const projection_gradient gradient{&output, logits};
  input_gradient({&gradient, 1}, sums, scratch);
  output.add_gradients(x, logits, scratch);
}

uint32_t trainable_output::rows_of_results(std::span<const uint32_t> lengths) const {
  if (spec.of_first_row) return uint32_t(lengths.size());
  uint32_t rows = 0;
  for (const uint32_t length : lengths) rows += length;
  return rows;
}

void trainable_output::enter(const sequence_rows& x, mutable_rows out) const {
  each_result(spec, x, [&](uint32_t row, uint32_t result) {
    if (norm) normalize(norm->spec, norm->weight.value, norm->bias.value, x.rows.row(row), out.row(result));
    else std::ranges::copy(x.rows.row(row), out.row(result).begin());
    if (spec.scale != 1)
      for (float& element : out.row(result)) element *= spec.scale;
  });
}

void trainable_output::enter_backward(const sequence_rows& x, const_rows dout, mutable_rows dx) {
  std::vector<float> gradient(dout.columns);
  each_result(spec, x, [&](uint32_t row, uint32_t result) {
    std::ranges::copy(dout.row(result), gradient.begin());
    if (spec.scale != 1)
      for (float& element : gradient) element *= spec.scale;
    if (norm)
      normalize_backward(norm->spec, norm->weight.value, x.rows.row(row), gradient, dx.row(row), norm->weight.gradient,
                         norm->bias.gradient);
    else std::ranges::copy(gradient, dx.row(row).begin());
  });
}

void trainable_output::finish_transform(const_rows y, mutable_rows out) const {
  for (uint32_t row = 0; row < y.rows; ++row) {
    std::ranges::copy(y.row(row), out.row(row).begin());
    activate(spec.transform->activation, out.row(row));
  }
  if (transform_norm) transform_norm->forward(out, out);
}

void trainable_output::finish_transform_backward(const_rows y, mutable_rows gradient) {
  std::vector<float> activated(y.columns), slope(y.columns);
  for (uint32_t row = 0; row < y.rows; ++row) {
    std::ranges::copy(gradient.row(row), slope.begin());
    if (transform_norm) {
      std::ranges::copy(y.row(row), activated.begin());
      activate(spec.transform->activation, activated);
      std::ranges::fill(slope, 0.0f);
      normalize_backward(transform_norm->spec, transform_norm->weight.value, activated, gradient.row(row), slope,
                         transform_norm->weight.gradient, transform_norm->bias.gradient);
    }
    activate_backward(spec.transform->activation, y.row(row), slope);
    std::ranges::copy(slope, gradient.row(row).begin());
  }
}

loss_sums trainable_output::loss(std::span<const row_facts> shards, std::span<const int32_t> targets, float smoothing,
                                 std::vector<float>& log_sums) const {
  loss_sums total;
  log_sums.assign(targets.size(), 0.0f);
  for (size_t row = 0; row < targets.size(); ++row) {
    TROUPE_ASSERT(targets[row] == no_target || uint32_t(targets[row]) < columns); // A negative one is beyond it.
    logit_sums sums;
    float target_logit = 0;
    for (const row_facts& shard : shards) {
      const size_t leaves = shard.leaves.size() / targets.size();
      for (size_t leaf = 0; leaf < leaves; ++leaf) sums = sums + shard.leaves[row * leaves + leaf];
      target_logit += shard.target_logits[row]; // All but one are 0.
    }
    log_sums[row] = sums.log_sum();
    if (targets[row] < 0) continue;
    ++total.targets;
    if (target_logit >= sums.largest) ++total.hits;
    total.loss += double(log_sums[row]) - (1 - double(smoothing)) * double(target_logit) -
                  double(smoothing) * double(sums.total) / columns;
  }
  return total;
}

} // namespace troupe
