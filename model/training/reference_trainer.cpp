#include "model/training/reference_trainer.hpp"
#include "model/error.hpp"
#include "model/kernels/row_buffers.hpp"
#include "model/kernels/rowwise.hpp"
#include <algorithm>
#include <deque>
#include <numeric>

namespace troupe {
namespace {

/// A matrix of activations that is its own.
struct activations {
  activations(uint32_t row_count, uint32_t column_count)
      : rows(row_count), columns(column_count), values(uint64_t(row_count) * column_count) {}
  uint32_t rows, columns;
  std::vector<float> values;
  mutable_rows all() { return {values.data(), rows, columns, columns}; }
  mutable_rows some(range cut) { return some_columns(all(), cut.first, cut.count); }
};

std::vector<uint32_t> positions_of(const micro_batch& batch) {
  std::vector<uint32_t> positions;
  for (const uint32_t length : batch.lengths)
    for (uint32_t position = 0; position < length; ++position) positions.push_back(position);
  TROUPE_ASSERT(positions.size() == batch.tokens.size());
  return positions;
}

/// Collects partial sums of all shards and adds them up.
class partial_sums {
public:
  partial_sums(uint32_t rows, uint32_t columns) : rows_(rows), columns_(columns) {}
  /// For one shard's nodes; valid as long as this object.
  std::vector<mutable_rows> more(const std::vector<tree_node>& nodes) {
    std::vector<mutable_rows> sums;
    for (const tree_node node : nodes) {
      nodes_.push_back(node);
      all_.push_back(buffers_.emplace_back(rows_, columns_).all());
      sums.push_back(all_.back());
    }
    return sums;
  }
  const_rows total() {
    sum_nodes(nodes_, all_);
    return all_.front();
  }

private:
  uint32_t rows_, columns_;
  std::deque<activations> buffers_;
  std::vector<tree_node> nodes_;
  std::vector<mutable_rows> all_;
};

} // namespace

uint64_t micro_batch::target_count() const {
  return uint64_t(std::ranges::count_if(targets, [](int32_t target) { return target >= 0; }));
}

/// One micro-batch on its way.
struct reference_trainer::pass {
  struct kept_layer {
    activations in, normed, attended, middle, middle_normed, inner;
    std::vector<kept_head> heads;
    std::vector<kept_inner> shards;
  };

  trainable_model& model;
  const micro_batch& batch;
  training_scratch& scratch;
  dropout drops = {};
  std::vector<uint32_t> positions = positions_of(batch);
  uint32_t rows = batch.rows(), width = model.spec.width;
  std::vector<kept_layer> layers = {};
  activations x{rows, width}, normed{rows, width};
  std::vector<kept_logits> logits = {};
  std::vector<float> log_sums = {};

  void run_layer(uint32_t l) {
    const attention_spec& attention = model.spec.layers[l].attention;
    kept_layer& kept = layers.emplace_back(
        kept_layer{x, {rows, width}, {rows, attention.heads * attention.head_dim}, {rows, width}, {rows, width},
                   {rows, model.spec.layers[l].feed_forward.width}, {}, {}});
    const auto& heads = model.heads[l];
    const auto& shards = model.shards[l];
    kept.heads.resize(heads.size());
    kept.shards.resize(shards.size());
    activations delta{rows, width};
    model.layers[l].attention_norm.forward(x.all(), kept.normed.all());
    for (size_t h = 0; h < heads.size(); ++h) {
      const uint32_t columns = heads[h].output_columns();
      heads[h].forward(kept.normed.all(), batch.lengths, kept.attended.some({uint32_t(h) * columns, columns}), kept.heads[h],
                       scratch);
    }
    for (const auto& shard : shards)
      if (shard.output.weight) shard.attention_output(kept.attended.all(), delta.some(shard.output.rows()), scratch);
    apply(drops, l, dropout_site::attention, delta.all());
    add(x.values, delta.values);
    kept.middle.values = x.values;
    model.layers[l].feed_forward_norm.forward(x.all(), kept.middle_normed.all());
    for (size_t s = 0; s < shards.size(); ++s)
      if (shards[s].up.weight)
        shards[s].inner(kept.middle_normed.all(), kept.inner.some(shards[s].up.rows()), kept.shards[s], scratch);
    for (const auto& shard : shards)
      if (shard.down.weight) shard.outer(kept.inner.all(), delta.some(shard.down.rows()), scratch);
    apply(drops, l, dropout_site::feed_forward, delta.all());
    add(x.values, delta.values);
  }

  loss_sums forward(float smoothing) {
    model.embedding.forward(batch.tokens, positions, x.all());
    apply(drops, 0, dropout_site::embedding, x.all());
    for (uint32_t l = 0; l < model.layers.size(); ++l) run_layer(l);
    model.output.norm.forward(x.all(), normed.all());
    logits.resize(model.output_shards.size());
    std::vector<row_facts> facts;
    for (size_t s = 0; s < logits.size(); ++s)
      facts.push_back(model.output_shards[s].forward(normed.all(), batch.targets, logits[s], scratch));
    return model.output.loss(facts, batch.targets, smoothing, log_sums);
  }

  /// x becomes the gradient of what enters layer l, given that of what leaves it.
  void run_layer_backward(uint32_t l, activations& gradient) {
    kept_layer& kept = layers[l];
    auto& shards = model.shards[l];
    partial_sums inner{rows, kept.inner.columns};
    activations delta = gradient; // Of what the sub-layer gave.
    apply(drops, l, dropout_site::feed_forward, delta.all());
    for (auto& shard : shards) shard.outer_backward(kept.inner.all(), delta.all(), inner.more(shard.down.nodes()), scratch);
    partial_sums middle{rows, width};
    const const_rows dinner = inner.total();
    for (size_t s = 0; s < shards.size(); ++s)
      shards[s].inner_backward(kept.middle_normed.all(), kept.shards[s], dinner, middle.more(shards[s].up.nodes()), scratch);
    model.layers[l].feed_forward_norm.backward(kept.middle.all(), middle.total(), gradient.all());

    partial_sums attended{rows, kept.attended.columns};
    delta = gradient;
    apply(drops, l, dropout_site::attention, delta.all());
    for (auto& shard : shards)
      shard.attention_output_backward(kept.attended.all(), delta.all(), attended.more(shard.output.nodes()), scratch);
    const const_rows dattended = attended.total();
    activations sum{rows, width}, one{rows, width};
    for (size_t h = 0; h < model.heads[l].size(); ++h) {
      trainable_head& head = model.heads[l][h];
      const uint32_t columns = head.output_columns();
      head.backward(kept.normed.all(), batch.lengths, kept.heads[h], some_columns(dattended, uint32_t(h) * columns, columns),
                    (h == 0 ? sum : one).all(), scratch);
      if (h > 0) add(sum.values, one.values);
    }
    model.layers[l].attention_norm.backward(kept.in.all(), sum.all(), gradient.all());
  }

  void backward(float scale, float smoothing) {
    partial_sums sums{rows, width};
    for (size_t s = 0; s < logits.size(); ++s)
      model.output_shards[s].backward(normed.all(), batch.targets, log_sums, scale, smoothing, logits[s],
                                      sums.more(model.output_shards[s].output.nodes()), scratch);
    activations gradient{rows, width};
    model.output.norm.backward(x.all(), sums.total(), gradient.all());
    for (uint32_t l = uint32_t(model.layers.size()); l-- > 0;) run_layer_backward(l, gradient);
    apply(drops, 0, dropout_site::embedding, gradient.all());
    model.embedding.backward(batch.tokens, positions, gradient.all());
  }

  std::vector<float> all_logits() const {
    std::vector<float> all(uint64_t(rows) * model.spec.vocabulary);
    for (size_t s = 0; s < logits.size(); ++s) {
      if (!model.output_shards[s].output.weight) continue;
      const range columns = model.output_shards[s].output.rows();
      for (uint32_t row = 0; row < rows; ++row)
        std::ranges::copy(rows_of_buffer(logits[s].logits, rows, columns.count).row(row),
                          all.begin() + ptrdiff_t(uint64_t(row) * model.spec.vocabulary + columns.first));
    }
    return all;
  }
};

loss_sums reference_trainer::accumulate(const micro_batch& batch, float loss_scale, float smoothing, std::vector<float>* logits,
                                        const dropout& drops) {
  pass one{model_, batch, scratch_, drops};
  const loss_sums sums = one.forward(smoothing);
  if (logits != nullptr) *logits = one.all_logits();
  one.backward(loss_scale, smoothing);
  return sums;
}

loss_sums reference_trainer::evaluate(const micro_batch& batch, float smoothing) {
  return pass{model_, batch, scratch_}.forward(smoothing);
}

double reference_trainer::gradient_norm() {
  model_.collect_copies();
  std::vector<piece_square> squares;
  for (const parameter* one : model_.parameters()) append_squares(*one, squares);
  return norm_of(squares);
}

void reference_trainer::update(const adam_step& step) {
  for (parameter* one : model_.parameters()) troupe::update(*one, step);
  model_.refresh_copies();
  model_.prepare();
}

step_figures reference_trainer::step(const std::vector<micro_batch>& batches, const optimiser_options& options,
                                     const rate_schedule& schedule, uint64_t step, float smoothing, dropout drops) {
  step_figures figures;
  drops.update = step - 1;
  drops.first_row = 0;
  for (const auto& batch : batches) figures.targets += batch.target_count();
  const float scale = figures.targets == 0 ? 0.0f : float(1.0 / double(figures.targets));
  for (const auto& batch : batches) {
    const loss_sums sums = accumulate(batch, scale, smoothing, nullptr, drops);
    drops.first_row += batch.rows();
    figures.loss += sums.loss;
    figures.hits += sums.hits;
  }
  if (figures.targets > 0) figures.loss /= double(figures.targets);
  figures.gradient_norm = gradient_norm();
  update(make_adam_step(options, schedule, step, figures.gradient_norm));
  return figures;
}

} // namespace troupe
