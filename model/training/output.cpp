#include "model/error.hpp"
#include "model/kernels/row_buffers.hpp"
#include "model/training/trainable_parts.hpp"

namespace troupe {
namespace {

/// Whether the target is in `range`, as a column of it.
std::optional<uint32_t> column_of(int32_t target, range cut) {
  if (target < 0 || uint32_t(target) < cut.first || uint32_t(target) >= cut.first + cut.count) return std::nullopt;
  return uint32_t(target) - cut.first;
}

} // namespace

row_facts trainable_output_shard::forward(const_rows x, std::span<const int32_t> targets, kept_logits& kept,
                                          training_scratch& scratch) const {
  TROUPE_ASSERT(targets.size() == x.rows);
  row_facts facts{{}, std::vector<float>(x.rows)};
  if (!output.weight) return facts;
  const range columns = output.rows();
  const mutable_rows logits = rows_of_buffer(kept.logits, x.rows, columns.count);
  output.forward(x, logits, scratch);
  for (uint32_t row = 0; row < x.rows; ++row) {
    for (const range leaf : leaves) facts.leaves.push_back(sum_logits(logits.row(row).subspan(leaf.first - columns.first, leaf.count)));
    if (const auto column = column_of(targets[row], columns)) facts.target_logits[row] = logits.row(row)[*column];
  }
  return facts;
}

void trainable_output_shard::backward(const_rows x, std::span<const int32_t> targets, std::span<const float> log_sums, float scale,
                                      float smoothing, kept_logits& kept, std::span<const mutable_rows> sums,
                                      training_scratch& scratch) {
  if (!output.weight) return;
  const range columns = output.rows();
  const mutable_rows logits = rows_of_buffer(kept.logits, x.rows, columns.count);
  const float each = smoothing / float(vocabulary);
  for (uint32_t row = 0; row < x.rows; ++row) {
    const auto values = logits.row(row);
    cross_entropy_backward(values, log_sums[row], targets[row] < 0 ? 0.0f : scale, each);
    if (const auto column = column_of(targets[row], columns)) values[*column] -= scale * (1 - smoothing);
  }
  const projection_gradient gradient{&output, logits};
  input_gradient({&gradient, 1}, sums, scratch);
  output.add_gradients(x, logits, scratch);
}

loss_sums trainable_output::loss(std::span<const row_facts> shards, std::span<const int32_t> targets, float smoothing,
                                 std::vector<float>& log_sums) const {
  loss_sums total;
  log_sums.assign(targets.size(), 0.0f);
  for (size_t row = 0; row < targets.size(); ++row) {
    TROUPE_ASSERT(targets[row] == no_target || uint32_t(targets[row]) < vocabulary); // A negative one is beyond it.
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
                  double(smoothing) * double(sums.total) / vocabulary;
  }
  return total;
}

} // namespace troupe
