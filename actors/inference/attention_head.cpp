#include "actors/inference/attention_head.hpp"

#include "actors/inference/thread_scratch.hpp"
#include "actors/supervision/failure.hpp"
#include "actors/supervision/scrubber.hpp"
#include "model/error.hpp"
#include "model/parts/weights.hpp"
#include <algorithm>
#include <map>
#include <new>
#include <vector>

namespace troupe {
namespace {

bool brings_source(const v1::StepPlan& plan, uint64_t sequence) {
  const auto& all = plan.source_sequence_ids();
  return std::find(all.begin(), all.end(), sequence) != all.end();
}

} // namespace

/// A cache with a wrong bit in it is dropped: its positions count as missing, and are computed again like those of a cache that
/// was lost. No actor needs to be restarted for that, and no other sequence notices.
void attention_head_state::forget_wrong_caches(const v1::StepPlan& plan) {
  for (const uint64_t id : plan.sequence_ids()) {
    const auto found = caches.find(id);
    if (found != caches.end() && !found->second.cache.is_intact()) caches.erase(found);
  }
}

void attention_head_state::flip_cache_bit(uint64_t draw) {
  uint64_t held = 0;
  for (const auto& [id, one] : caches) held += one.cache.length();
  if (held == 0) return;
  uint64_t position = draw % held;
  std::map<uint64_t, kv_cache*> in_order; // So that the choice does not depend on the order of a hash table.
  for (auto& [id, one] : caches) in_order.emplace(id, &one.cache);
  for (auto& [id, cache] : in_order) {
    if (position < cache->length()) return cache->flip_bit(position + draw / held * cache->length());
    position -= cache->length();
  }
}

/// Before anything is released or missed: the sequence that is continued may be among the released ones.
void attention_head_state::fork_caches(const v1::StepPlan& plan) {
  for (int i = 0; i < plan.forked_from_size(); ++i) {
    const auto from = caches.find(plan.forked_from(i));
    if (plan.forked_from(i) == 0 || from == caches.end()) continue;
    const uint32_t wanted = config.is_cross ? from->second.cache.length() : plan.positions(i);
    const auto held = caches.find(plan.sequence_ids(i));
    const bool is_held = held != caches.end() && held->second.cache.length() >= wanted;
    if (is_held || wanted == 0 || from->second.cache.length() < wanted) continue;
    auto copy = from->second.cache.fork(wanted);
    positions_most += wanted;
    caches[plan.sequence_ids(i)].cache = std::move(copy);
  }
}

kv_cache attention_head_state::empty_cache() {
  if (!pages) pages = kv_cache::make_pages(config.part->spec.head_dim, config.part->cached);
  return config.part->make_cache(config.verify_caches, pages);
}

/// Those of the step's sequences; null where there is none.
std::vector<attention_head_state::cached_sequence*> attention_head_state::find_caches(const v1::StepPlan& plan) {
  std::vector<cached_sequence*> found;
  found.reserve(size_t(plan.sequence_ids_size()));
  for (const uint64_t id : plan.sequence_ids()) {
    const auto it = caches.find(id);
    found.push_back(it == caches.end() ? nullptr : &it->second);
  }
  return found;
}

void attention_head_state::find_misses(const v1::StepPlan& plan, const std::vector<cached_sequence*>& all,
                                       v1::AttendResult& result) const {
  for (int i = 0; i < plan.sequence_ids_size(); ++i) {
    const auto id = plan.sequence_ids(i);
    const uint32_t held = all[size_t(i)] == nullptr ? 0 : all[size_t(i)]->cache.length();
    if (config.is_cross ? held > 0 || brings_source(plan, id) : held >= plan.positions(i)) continue;
    auto* miss = result.add_misses();
    miss->set_sequence_id(id);
    miss->set_positions(config.is_cross ? 0 : held);
    miss->set_lacks_source(config.is_cross);
  }
}

/// Makes room for `rows` more positions. What is evicted is computed again if it is needed again. Caches are only looked at when
/// there may be too many positions.
void attention_head_state::evict(const v1::StepPlan& plan, uint32_t rows) {
  positions_most += rows;
  if (positions_most <= config.cache_positions_max) return;
  uint64_t positions = rows;
  for (const auto& [id, held] : caches) positions += held.cache.length();
  while (positions > config.cache_positions_max) {
    auto oldest = caches.end();
    for (auto it = caches.begin(); it != caches.end(); ++it) {
      const bool in_use = it->second.last_used == id_of(plan);
      // Ties by sequence, so that the choice does not depend on the order of a hash table.
      const bool older = oldest == caches.end() || it->second.last_used < oldest->second.last_used ||
                         (it->second.last_used == oldest->second.last_used && it->first < oldest->first);
      if (!in_use && older) oldest = it;
    }
    if (oldest == caches.end()) break;
    positions -= oldest->second.cache.length();
    caches.erase(oldest);
  }
  positions_most = positions;
}

pooled_message<v1::AttendResult> attention_head_state::answer_to(const v1::StepPlan& plan) const {
  pooled_message<v1::AttendResult> result;
  result->set_epoch(plan.epoch());
  result->set_step(plan.step());
  result->set_layer(config.layer);
  result->set_head(config.part->index);
  result->set_is_cross(config.is_cross);
  result->set_width(config.part->output_columns());
  return result;
}

/// The head itself goes on: what it holds of other sequences is whole.
pooled_message<v1::AttendResult> attention_head_state::got_no_memory(const v1::StepPlan& plan) {
  for (const uint64_t id : plan.sequence_ids()) caches.erase(id);
  auto result = answer_to(plan);
  result->set_out_of_memory(true);
  return result;
}

std::vector<head_slice> attention_head_state::slices_of(const v1::StepPlan& plan, const std::vector<cached_sequence*>& all) {
  std::vector<head_slice> slices;
  slices.reserve(size_t(plan.sequence_ids_size()));
  for (int i = 0; i < plan.sequence_ids_size(); ++i) {
    if (!keeps_caches()) {
      slices.push_back({nullptr, plan.positions(i), plan.rows(i)});
      continue;
    }
    auto& held = all[size_t(i)] != nullptr ? *all[size_t(i)] : caches[plan.sequence_ids(i)];
    // New, or computed again from its first token: what was left from before would take memory that is not accounted for.
    if (plan.positions(i) == 0 && !config.is_cross) held.cache = empty_cache();
    held.last_used = id_of(plan);
    slices.push_back({&held.cache, plan.positions(i), plan.rows(i)});
  }
  return slices;
}

/// The sources that a step brings. A head of the encoder computes with them, one for cross-attention keeps them.
std::vector<head_slice> attention_head_state::sources_of(const v1::StepPlan& plan) {
  std::vector<head_slice> sources;
  for (int i = 0; i < plan.source_rows_size(); ++i) {
    kv_cache* cache = nullptr;
    if (config.is_cross) {
      auto& held = caches[plan.source_sequence_ids(i)];
      held.cache = empty_cache();
      held.last_used = id_of(plan);
      cache = &held.cache;
    }
    sources.push_back({cache, 0, plan.source_rows(i)});
  }
  return sources;
}

void attention_head_state::remember_sources(const v1::AttendStep& step) {
  const uint32_t rows = source_rows(step.plan());
  TROUPE_ASSERT(uint64_t(step.source_values_size()) == uint64_t(rows) * step.width());
  if (rows == 0) return;
  positions_most += rows;
  const auto sources = sources_of(step.plan());
  config.part->remember(rows_of(step.source_values(), rows, step.width()), sources, scratch_of_this_thread());
}

pooled_message<v1::AttendResult> attention_head_state::attend(const v1::AttendStep& step) {
  const auto& plan = step.plan();
  const uint32_t all_rows = checked_rows(plan), rows = config.of_encoder ? source_rows(plan) : all_rows;
  TROUPE_ASSERT(uint64_t(step.values_size()) == uint64_t(rows) * step.width());
  auto result = answer_to(plan);
  std::vector<cached_sequence*> held;
  if (keeps_caches()) {
    fork_caches(plan);
    for (const uint64_t id : plan.released_sequence_ids()) caches.erase(id);
    if (config.verify_caches) forget_wrong_caches(plan);
    held = find_caches(plan);
    find_misses(plan, held, *result);
    if (result->misses_size() > 0) return result;
  }

  const stopwatch watch;
  if (config.is_cross) remember_sources(step);
  const auto slices = config.of_encoder ? sources_of(plan) : slices_of(plan, held);
  evict(plan, rows);
  if (rows > 0) {
    allocate(*result->mutable_values(), uint64_t(rows) * result->width());
    const auto x = rows_of(step.values(), rows, step.width());
    const auto out = rows_of(*result->mutable_values(), rows, result->width());
    // All heads of the layer get the same message.
    const content_name content{{engine, plan.epoch(), plan.step(), 2 * uint64_t(config.layer) + config.of_encoder}};
    if (config.is_cross) config.part->recall(x, slices, out, scratch_of_this_thread());
    else config.part->forward(x, slices, out, scratch_of_this_thread(), content);
  }
  result->set_compute_ns(watch.elapsed_ns());
  return result;
}

attention_head_actor::behavior_type
attention_head(attention_head_actor::stateful_pointer<attention_head_state> self, attention_head_config config) {
  report_exceptions(self);
  self->state.config = std::move(config);
  self->state.engine = reinterpret_cast<uintptr_t>(&self->home_system());
  scratch_of_this_thread().input = {}; // In a simulation this thread may have run another engine, at the same place in memory.
  return {[self](const v1::VerifyWeights& order) { verify_for(self, order, projections_of(*self->state.config.part)); },
          [self](const v1::FlipOwnBit& order) {
            if (order.in_cache()) self->state.flip_cache_bit(order.draw());
            else flip_weight_bit(projections_of(*self->state.config.part), order.draw());
          },
          [self](const v1::AttendStep& step) {
            if (!self->state.gate.admit(id_of(step.plan()))) return;
            const auto to = asker_of<v1::AttendResult>(self);
            if (!to) return;
            try {
              send_pooled(self, to, self->state.attend(step));
            } catch (const std::bad_alloc&) {
              send_pooled(self, to, self->state.got_no_memory(step.plan()));
            }
          }};
}

} // namespace troupe
