#include "actors/inference/projection_shard.hpp"

#include "actors/inference/thread_scratch.hpp"
#include "actors/supervision/failure.hpp"
#include "actors/supervision/scrubber.hpp"
#include "model/error.hpp"
#include "model/parts/weights.hpp"

#include <new>
#include <string>

namespace troupe {
namespace {

uint32_t result_width(const projection_shard_part& part, v1::Projection projection) {
  return projection == v1::PROJECTION_FEED_FORWARD_INNER ? part.inner_range.count : part.width_range.count;
}
uint32_t result_width(const output_shard_part& part, v1::Projection projection) {
  return projection == v1::PROJECTION_OUTPUT_TRANSFORM ? part.transform_columns.count : part.columns.count;
}

void run(const projection_shard_part& part, v1::Projection projection, const_rows x, mutable_rows out,
         part_scratch& scratch) {
  switch (projection) {
  case v1::PROJECTION_ATTENTION_OUTPUT: return part.attention_output(x, out, scratch);
  case v1::PROJECTION_CROSS_ATTENTION_OUTPUT: return part.cross_attention_output(x, out, scratch);
  case v1::PROJECTION_FEED_FORWARD_INNER: return part.inner(x, out, scratch);
  case v1::PROJECTION_FEED_FORWARD_OUTER: return part.outer(x, out, scratch);
  default: throw broken_invariant("a layer's shard was asked for projection " + std::to_string(projection));
  }
}

void run(const output_shard_part& part, v1::Projection projection, const_rows x, mutable_rows out,
         part_scratch& scratch) {
  if (projection == v1::PROJECTION_OUTPUT_TRANSFORM) return part.apply_transform(x, out, scratch);
  TROUPE_ASSERT(projection == v1::PROJECTION_LOGITS);
  part.forward(x, out, scratch);
}

projection_list weights_of(const shard_part& part) {
  return std::visit([](const auto& one) { return projections_of(*one); }, part);
}

} // namespace

pooled_message<v1::ProjectResult> projection_shard_state::answer_to(const v1::ProjectStep& step) const {
  pooled_message<v1::ProjectResult> result;
  result->set_epoch(step.epoch());
  result->set_step(step.step());
  result->set_projection(step.projection());
  result->set_shard(config.index);
  return result;
}

pooled_message<v1::ProjectResult> projection_shard_state::project(const v1::ProjectStep& step) {
  const stopwatch watch;
  TROUPE_ASSERT(step.rows() > 0);
  TROUPE_ASSERT(uint64_t(step.values_size()) == uint64_t(step.rows()) * step.width());
  auto result = answer_to(step);
  std::visit(
    [&](const auto& part) {
      const uint32_t width = result_width(*part, step.projection());
      result->set_width(width);
      allocate(*result->mutable_values(), uint64_t(step.rows()) * width);
      if (width == 0) return;
      run(*part, step.projection(), rows_of(step.values(), step.rows(), step.width()),
          rows_of(*result->mutable_values(), step.rows(), width), scratch_of_this_thread());
    },
    config.part);
  result->set_compute_ns(watch.elapsed_ns());
  return result;
}

projection_shard_actor::behavior_type
projection_shard(projection_shard_actor::stateful_pointer<projection_shard_state> self,
                 projection_shard_config config) {
  report_exceptions(self);
  self->state.config = std::move(config);
  return {[self](const v1::VerifyWeights& order) { verify_for(self, order, weights_of(self->state.config.part)); },
          [self](const v1::FlipOwnBit& order) {
            if (!order.in_cache()) flip_weight_bit(weights_of(self->state.config.part), order.draw());
          },
          [self](const v1::ProjectStep& step) {
            if (!self->state.gate.admit(id_of(step))) return;
            const auto to = asker_of<v1::ProjectResult>(self);
            if (!to) return;
            try {
              send_pooled(self, to, self->state.project(step));
            } catch (const std::bad_alloc&) {
              auto result = self->state.answer_to(step);
              result->set_out_of_memory(true);
              send_pooled(self, to, std::move(result));
            }
          }};
}

} // namespace troupe
