#include "model/training/reference_trainer.hpp"
#include "model/error.hpp"
#include "model/kernels/row_buffers.hpp"
#include "model/kernels/rowwise.hpp"
#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

namespace troupe {
namespace {

/// A matrix of activations that is its own.
struct activations {
  explicit activations(uint32_t row_count = 0, uint32_t column_count = 0)
      : rows(row_count), columns(column_count), values(uint64_t(row_count) * column_count) {}
  uint32_t rows, columns;
  std::vector<float> values;
  mutable_rows all() { return {values.data(), rows, columns, columns}; }
  const_rows all() const { return {values.data(), rows, columns, columns}; }
  mutable_rows some(range cut) { return some_columns(all(), cut.first, cut.count); }
};

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
  activations total() {
    sum_nodes(nodes_, all_);
    return std::move(buffers_.front());
  }

private:
  uint32_t rows_, columns_;
  std::deque<activations> buffers_;
  std::vector<tree_node> nodes_;
  std::vector<mutable_rows> all_;
};

} // namespace

namespace {

/// What the way back needs of a block: what it got itself, and what its norm got.
struct kept_block {
  activations in, norm_in;
};
struct kept_attention {
  kept_block block;
  activations attended;
  std::vector<kept_head> heads;
};
struct kept_layer {
  kept_attention own, cross;
  kept_block feed_forward;
  activations inner;
  std::vector<kept_inner> shards;
};

/// A block of a layer with its norm and residual sum, see norm_place. x becomes what leaves it; block: (input) -> what it gives.
template <class Block> void run_block(norm_place norms, const trainable_norm& norm, activations& x, kept_block& kept, Block block) {
  kept = {x, x};
  if (norms == norm_place::before) norm.forward(x.all(), kept.in.all());
  add(x.values, block(std::as_const(kept.in)).values);
  if (norms == norm_place::after) {
    kept.norm_in = x;
    norm.forward(x.all(), x.all());
  }
}

/// gradient: of what leaves the block; becomes that of what enters it. backward: (gradient of what the block gave) -> of its input.
template <class Backward>
void run_block_backward(norm_place norms, trainable_norm& norm, const kept_block& kept, activations& gradient, Backward backward) {
  if (norms == norm_place::before) {
    const activations inner = backward(gradient);
    norm.backward(kept.norm_in.all(), inner.all(), gradient.all());
  } else {
    activations outer{gradient.rows, gradient.columns};
    norm.backward(kept.norm_in.all(), gradient.all(), outer.all());
    gradient = outer;
    add(gradient.values, backward(std::move(outer)).values);
  }
}

/// The rows of a micro-batch in a stack, on their way.
struct stack_pass {
  trainable_stack& parts;
  uint32_t width, first_layer; // The number of the first layer in the whole model.
  std::span<const uint32_t> tokens, lengths, segments;
  std::span<const float> pixels;
  dropout drops;
  training_scratch& scratch;
  std::vector<uint32_t> positions = positions_of(lengths);
  uint32_t rows = uint32_t(tokens.size());
  activations x{rows, width};
  std::vector<kept_layer> layers = {};

  sequence_rows sequences(const activations& of) const { return {of.all(), lengths}; }

  activations dropped(uint32_t l, dropout_site site, activations values) const {
    apply(drops, first_layer + l, site, values.all());
    return values;
  }

  using matrix_of_shard = trainable_projection trainable_shard::*;

  activations run_shards(uint32_t l, const activations& input, matrix_of_shard matrix) const {
    activations out{rows, width};
    for (const auto& shard : parts.shards[l])
      if ((shard.*matrix).weight) (shard.*matrix).forward(input.all(), out.some((shard.*matrix).rows()), scratch);
    return out;
  }

  activations run_shards_backward(uint32_t l, const activations& input, const activations& gradient, matrix_of_shard matrix) {
    partial_sums sums{rows, input.columns};
    for (auto& shard : parts.shards[l])
      (shard.*matrix).backward(input.all(), gradient.all(), sums.more((shard.*matrix).nodes()), scratch);
    return sums.total();
  }

  void run_heads(const std::vector<trainable_head>& heads, const activations& input, const sequence_rows& source, kept_attention& kept) {
    kept.attended = activations(rows, uint32_t(heads.size()) * heads.front().output_columns());
    kept.heads.resize(heads.size());
    for (size_t h = 0; h < heads.size(); ++h) {
      const uint32_t columns = heads[h].output_columns();
      heads[h].forward(sequences(input), source, kept.attended.some({uint32_t(h) * columns, columns}), kept.heads[h], scratch);
    }
  }

  /// The gradient of the input, added up in the order of the heads; that of the source is added to dsource, where it is not null.
  activations run_heads_backward(std::vector<trainable_head>& heads, const kept_attention& kept, const activations& gradient,
                                 const sequence_rows& source, activations* dsource) {
    activations sum{rows, width}, one{rows, width};
    activations source_sum{source.rows.rows, width}, source_one{source.rows.rows, width};
    for (size_t h = 0; h < heads.size(); ++h) {
      const uint32_t columns = heads[h].output_columns();
      activations &to = h == 0 ? sum : one, &to_source = h == 0 ? source_sum : source_one;
      heads[h].backward(sequences(kept.block.in), source, kept.heads[h], some_columns(gradient.all(), uint32_t(h) * columns, columns),
                        to.all(), (dsource ? to_source : to).all(), scratch);
      if (h == 0) continue;
      add(sum.values, one.values);
      if (dsource) add(source_sum.values, source_one.values);
    }
    if (dsource) add(dsource->values, source_sum.values);
    return sum;
  }

  void run_layer(uint32_t l, const sequence_rows* source) {
    const trainable_layer& layer = parts.layers[l];
    kept_layer& kept = layers.emplace_back();
    const auto attention = [&](kept_attention& into, const trainable_norm& norm, const std::vector<trainable_head>& heads,
                               const sequence_rows* from, matrix_of_shard matrix, dropout_site site) {
      run_block(layer.norms, norm, x, into.block, [&](const activations& input) {
        run_heads(heads, input, from ? *from : sequences(input), into);
        return dropped(l, site, run_shards(l, into.attended, matrix));
      });
    };
    attention(kept.own, layer.attention_norm, parts.heads[l], nullptr, &trainable_shard::output, dropout_site::attention);
    if (source)
      attention(kept.cross, *layer.cross_attention_norm, parts.cross_heads[l], source, &trainable_shard::cross_output,
                dropout_site::cross_attention);
    auto& shards = parts.shards[l];
    kept.shards.resize(shards.size());
    kept.inner = activations(rows, shards.front().feed_forward.width);
    run_block(layer.norms, layer.feed_forward_norm, x, kept.feed_forward, [&](const activations& input) {
      for (size_t s = 0; s < shards.size(); ++s)
        if (shards[s].up.weight) shards[s].inner(input.all(), kept.inner.some(shards[s].up.rows()), kept.shards[s], scratch);
      return dropped(l, dropout_site::feed_forward, run_shards(l, kept.inner, &trainable_shard::down));
    });
  }

  void run_layer_backward(uint32_t l, activations& gradient, const sequence_rows* source, activations* dsource) {
    trainable_layer& layer = parts.layers[l];
    kept_layer& kept = layers[l];
    run_block_backward(layer.norms, layer.feed_forward_norm, kept.feed_forward, gradient, [&](activations delta) {
      delta = dropped(l, dropout_site::feed_forward, std::move(delta));
      const activations inner = run_shards_backward(l, kept.inner, delta, &trainable_shard::down);
      partial_sums sums{rows, width};
      for (size_t s = 0; s < parts.shards[l].size(); ++s) {
        trainable_shard& shard = parts.shards[l][s];
        shard.inner_backward(kept.feed_forward.in.all(), kept.shards[s], inner.all(), sums.more(shard.up.nodes()), scratch);
      }
      return sums.total();
    });
    const auto attention = [&](const kept_attention& of, trainable_norm& norm, std::vector<trainable_head>& heads,
                               const sequence_rows& from, activations* dfrom, matrix_of_shard matrix, dropout_site site) {
      run_block_backward(layer.norms, norm, of.block, gradient, [&](activations delta) {
        delta = dropped(l, site, std::move(delta));
        return run_heads_backward(heads, of, run_shards_backward(l, of.attended, delta, matrix), from, dfrom);
      });
    };
    if (source)
      attention(kept.cross, *layer.cross_attention_norm, parts.cross_heads[l], *source, dsource, &trainable_shard::cross_output,
                dropout_site::cross_attention);
    attention(kept.own, layer.attention_norm, parts.heads[l], sequences(kept.own.block.in), nullptr, &trainable_shard::output,
              dropout_site::attention);
  }

  /// source: what the encoder gave, dsource: its gradient, which is added to; null: there is no encoder.
  void forward(const sequence_rows* source) {
    TROUPE_ASSERT(positions.size() == tokens.size());
    parts.embedding.forward({tokens, positions, segments, pixels}, x.all(), scratch);
    apply(drops, first_layer, dropout_site::embedding, x.all());
    for (uint32_t l = 0; l < parts.layers.size(); ++l) run_layer(l, source);
  }
  void backward(activations gradient, const sequence_rows* source, activations* dsource) {
    for (uint32_t l = uint32_t(parts.layers.size()); l-- > 0;) run_layer_backward(l, gradient, source, dsource);
    apply(drops, first_layer, dropout_site::embedding, gradient.all());
    parts.embedding.backward({tokens, positions, segments, pixels}, gradient.all(), scratch);
  }
};

} // namespace

/// One micro-batch on its way.
struct reference_trainer::pass {
  trainable_model& model;
  const micro_batch& batch;
  training_scratch& scratch;
  dropout drops = {};
  uint32_t width = model.spec.width;
  std::optional<stack_pass> encoder = {};
  stack_pass decoder = {model,          width, uint32_t(model.encoder ? model.encoder->layers.size() : 0),
                        batch.tokens,   batch.lengths,
                        batch.segments, batch.pixels, drops, scratch};
  uint32_t results = model.output.rows_of_results(batch.lengths);
  activations source_in{batch.source_rows(), width}, source{batch.source_rows(), width}; // Before and after the encoder's final norm.
  sequence_rows source_rows{source.all(), batch.source_lengths};
  activations entered{results, width}, product{results, width}, transformed{results, width}; // On the way to the logits.
  std::vector<kept_logits> logits = {};
  std::vector<float> log_sums = {};

  const sequence_rows* attended() const { return model.encoder ? &source_rows : nullptr; }
  activations& logits_in() { return model.output.spec.transform ? transformed : entered; }

  loss_sums forward(float smoothing) {
    if (model.encoder) {
      encoder.emplace(stack_pass{*model.encoder, width, 0, batch.source, batch.source_lengths, {}, {}, drops.of_source(), scratch});
      encoder->forward(nullptr);
      source_in.values = source.values = encoder->x.values;
      if (const auto& norm = model.embedding.source_norm) norm->forward(source_in.all(), source.all());
    }
    decoder.forward(attended());
    auto& shards = model.output_shards;
    model.output.enter(decoder.sequences(decoder.x), entered.all());
    if (model.output.spec.transform) {
      for (const auto& shard : shards)
        if (shard.transform.weight) shard.transform.forward(entered.all(), product.some(shard.transform.rows()), scratch);
      model.output.finish_transform(product.all(), transformed.all());
    }
    logits.resize(shards.size());
    std::vector<row_facts> facts;
    for (size_t s = 0; s < shards.size(); ++s) facts.push_back(shards[s].forward(logits_in().all(), batch.targets, logits[s], scratch));
    return model.output.loss(facts, batch.targets, smoothing, log_sums);
  }

  void backward(float scale, float smoothing) {
    auto& shards = model.output_shards;
    partial_sums sums{results, width};
    for (size_t s = 0; s < shards.size(); ++s)
      shards[s].backward(logits_in().all(), batch.targets, log_sums, scale, smoothing, logits[s], sums.more(shards[s].output.nodes()),
                         scratch);
    activations gradient = sums.total();
    if (model.output.spec.transform) {
      model.output.finish_transform_backward(product.all(), gradient.all());
      partial_sums of_transform{results, width};
      for (auto& shard : shards)
        shard.transform.backward(entered.all(), gradient.all(), of_transform.more(shard.transform.nodes()), scratch);
      gradient = of_transform.total();
    }
    activations of_states{batch.rows(), width};
    model.output.enter_backward(decoder.sequences(decoder.x), gradient.all(), of_states.all());
    activations of_source{batch.source_rows(), width};
    decoder.backward(std::move(of_states), attended(), &of_source);
    if (!encoder) return;
    if (auto& norm = model.embedding.source_norm) {
      activations before{batch.source_rows(), width};
      norm->backward(source_in.all(), of_source.all(), before.all());
      of_source = std::move(before);
    }
    encoder->backward(std::move(of_source), nullptr, nullptr);
  }

  std::vector<float> all_logits() const {
    const uint32_t width_of_row = model.output.columns;
    std::vector<float> all(uint64_t(results) * width_of_row);
    for (size_t s = 0; s < logits.size(); ++s) {
      if (!model.output_shards[s].output.weight) continue;
      const range columns = model.output_shards[s].output.rows();
      for (uint32_t row = 0; row < results; ++row)
        std::ranges::copy(rows_of_buffer(logits[s].logits, results, columns.count).row(row),
                          all.begin() + ptrdiff_t(uint64_t(row) * width_of_row + columns.first));
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
  drops.first_row = drops.first_source_row = 0;
  for (const auto& batch : batches) figures.targets += batch.target_count();
  const float scale = figures.targets == 0 ? 0.0f : float(1.0 / double(figures.targets));
  for (const auto& batch : batches) {
    const loss_sums sums = accumulate(batch, scale, smoothing, nullptr, drops);
    drops.first_row += batch.rows();
    drops.first_source_row += batch.source_rows();
    figures.loss += sums.loss;
    figures.hits += sums.hits;
  }
  if (figures.targets > 0) figures.loss /= double(figures.targets);
  figures.gradient_norm = gradient_norm();
  update(make_adam_step(options, schedule, step, figures.gradient_norm));
  return figures;
}

} // namespace troupe
