#include "apps/troupe/chaos/chaos_random.hpp"
#include "actors/faults/plan.hpp"
#include "actors/faults/trigger.hpp"

namespace troupe {
namespace {

void draw_effect_on_actor(v1::Effect& effect, bool is_stage, fault_rng& rng) {
  switch (rng.below(is_stage ? 6 : 5)) {
  case 0: effect.mutable_throw_(); return;
  case 1: effect.mutable_exit(); return;
  case 2: effect.mutable_kill(); return;
  case 3: effect.mutable_allocation_failure(); return;
  case 4: effect.mutable_hang(); return;
  default: effect.mutable_slow_down()->set_factor(double(2 + rng.below(9))); return;
  }
}

void draw_effect_on_message(v1::Effect& effect, fault_rng& rng) {
  switch (rng.below(7)) {
  case 0: effect.mutable_drop(); return;
  case 1: effect.mutable_duplicate(); return;
  case 2: effect.mutable_reorder(); return;
  case 3: effect.mutable_delay()->set_jitter_ms(double(1 + rng.below(50))); return;
  case 4: effect.mutable_not_a_number(); return;
  case 5: effect.mutable_infinite(); return;
  default: effect.mutable_wrong_shape(); return;
  }
}

/// Corrupted values are detected in the answers of heads and shards; all other effects may hit any message of a step.
bool is_corruption(const v1::Effect& effect) {
  return effect.has_not_a_number() || effect.has_infinite() || effect.has_wrong_shape();
}

} // namespace

v1::FaultPlan random_plan(uint64_t seed, uint32_t count, const std::vector<std::string>& paths, double span_ms) {
  fault_rng rng(seed);
  v1::FaultPlan plan;
  plan.set_name("random " + std::to_string(seed));
  plan.set_description("Drawn by --random-seed " + std::to_string(seed) + " --faults " + std::to_string(count) + ".");
  plan.set_seed(seed);
  for (uint32_t i = 0; i < count; ++i) {
    auto& fault = *plan.add_faults();
    fault.set_optional(true);
    const auto& path = paths[rng.below(paths.size())];
    const bool is_worker = path.find("/head/") != std::string::npos || path.find("/shard/") != std::string::npos;
    const bool is_stage = path.starts_with("/replica/") && !path.ends_with("/supervisor");
    if (rng.below(2) == 0 || !is_stage) {
      fault.mutable_selector()->set_path(path);
      draw_effect_on_actor(*fault.mutable_effect(), is_stage, rng);
    } else {
      do draw_effect_on_message(*fault.mutable_effect(), rng);
      while (is_corruption(fault.effect()) && !is_worker);
      fault.mutable_selector()->set_from(path);
    }
    fault.mutable_trigger()->set_after_ms(double(rng.below(uint64_t(span_ms * 1000) + 1)) / 1000);
    fault.set_name(std::to_string(i + 1) + " " + std::string(name_of(fault.effect())) + " " + path);
  }
  return checked(std::move(plan));
}

} // namespace troupe
