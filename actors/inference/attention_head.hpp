#pragma once
#include "actors/interfaces/roles.hpp"
#include "actors/interfaces/step.hpp"
#include "messages/message_pool.hpp"
#include "model/parts.hpp"
#include <memory>
#include <unordered_map>
#include <vector>

namespace troupe {

struct attention_head_config {
  std::shared_ptr<const attention_head_part> part; // Its weights and maths (model/parts.hpp).
  uint32_t layer = 0;
  bool of_encoder = false, is_cross = false; // Neither: of the stack that the sequences' own tokens pass.
  uint64_t cache_positions_max = 0; // Above it the caches used least recently are evicted; never one of the running step.
  bool verify_caches = false; // Every cache is verified before it is used; one with a wrong bit is a cache miss.
};

/// One attention head actor: one key/value head with the query heads that share it ("Attention Is All You Need" §3.2.1,
/// grouped queries). It alone owns their key/value caches, for all sequences under way. Where rows see later rows it keeps none:
/// a sequence is computed as a whole. For cross-attention (§3.2.3) it keeps the keys and values of sources: computed
/// once, when a step brings the source's rows, and recomputed by a replay like those of a sequence.
///
/// Forks     a sequence that continues another one begins with that one's positions, which both share until one of them writes to
///           the same page.
/// Answers   every AttendStep with an AttendResult to its sender: the attention output, or, when a sequence's earlier
///           positions are missing, what is missing, and then nothing was written or computed; or that it got no memory for
///           the step, and then it has forgotten the caches of the step's sequences.
/// Retry     the same step again rewrites the same positions and gives the same bits. Older steps are dropped.
/// Restart   begins with no caches: every sequence is a cache miss until the scheduler has had its positions computed again
///           (a replay).
/// Throws    broken_invariant when a message contradicts itself: the sender has a bug; wrong_bits when the check of a product
///           or the scrubber finds its weights wrong: it ends, and its supervisor starts another.
struct attention_head_state {
  static inline const char* name = "attention_head";
  struct cached_sequence {
    kv_cache cache;
    step_id last_used;
  };

  attention_head_config config;
  step_gate gate;
  std::unordered_map<uint64_t, cached_sequence> caches;
  std::shared_ptr<cache_pages> pages; // Of all caches.
  uint64_t engine = 0; // Tells those apart that a simulation runs on one thread.
  uint64_t positions_most = 0; // Not fewer than all caches hold together.

  pooled_message<v1::AttendResult> attend(const v1::AttendStep& step);
  pooled_message<v1::AttendResult> got_no_memory(const v1::StepPlan& plan);
  void flip_cache_bit(uint64_t draw);

private:
  pooled_message<v1::AttendResult> answer_to(const v1::StepPlan& plan) const;
  kv_cache empty_cache();
  bool keeps_caches() const { return config.is_cross || config.part->spec.causal; }
  void fork_caches(const v1::StepPlan& plan);
  std::vector<cached_sequence*> find_caches(const v1::StepPlan& plan);
  std::vector<head_slice> slices_of(const v1::StepPlan& plan, const std::vector<cached_sequence*>& held);
  void remember_sources(const v1::AttendStep& step);
  std::vector<head_slice> sources_of(const v1::StepPlan& plan);
  void forget_wrong_caches(const v1::StepPlan& plan);
  void find_misses(const v1::StepPlan& plan, const std::vector<cached_sequence*>& held, v1::AttendResult& result) const;
  void evict(const v1::StepPlan& plan, uint32_t rows);
};

attention_head_actor::behavior_type
attention_head(attention_head_actor::stateful_pointer<attention_head_state> self, attention_head_config config);

} // namespace troupe
