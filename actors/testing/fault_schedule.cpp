#include "actors/testing/fault_schedule.hpp"

#include "model/testing/tiny_model.hpp"

#include <algorithm>

namespace troupe::testing {

std::string_view to_string(fault_kind kind) {
  static constexpr std::string_view names[] = {
    "lose", "duplicate", "delay",  "late",    "nan",        "infinity",      "shape",       "crash",
    "kill", "hang",      "freeze", "abandon", "clock jump", "at supervisor", "in recovery", "two at once"};
  return names[size_t(kind)];
}

fault_schedule no_faults() { return {}; }

fault_schedule draw_fault_schedule(uint64_t seed) {
  raw_bits bits{seed};
  fault_schedule result;
  const auto perhaps = [&](fault_kind kind, uint32_t most) {
    const bool on = bits.below(2) == 0;
    const auto rate = uint32_t(1 + bits.below(most));
    result.rate[size_t(kind)] = on ? rate : 0;
  };
  // Of the messages of an affected kind up to three in ten are lost, come twice or are overtaken.
  perhaps(fault_kind::lose, 300);
  perhaps(fault_kind::duplicate, 300);
  perhaps(fault_kind::delay, 300);
  for (const auto kind : {fault_kind::late, fault_kind::nan, fault_kind::infinity, fault_kind::shape}) perhaps(kind, 20);
  for (const auto kind : {fault_kind::crash, fault_kind::kill, fault_kind::hang, fault_kind::freeze, fault_kind::abandon})
    perhaps(kind, 6);
  perhaps(fault_kind::clock_jump, 3);
  perhaps(fault_kind::in_recovery, 60);
  perhaps(fault_kind::two_at_once, 500);
  const auto affect = [&](bool of_training) {
    for (size_t kind = 0; kind < message_kinds; ++kind)
      if (is_of_training(message_kind(kind)) == of_training) result.affected[kind] = bits.below(3) == 0;
  };
  affect(false);
  result.early_timers = uint32_t(bits.below(2) * bits.below(6));
  result.steps = 100 + uint32_t(bits.below(6000));
  result.actor_injections_max = 1 + uint32_t(bits.below(10));
  affect(true); // Last: what a seed means for a troupe that serves does not depend on it.
  return result;
}

void injection_counts::add(const injection_counts& other) {
  for (size_t i = 0; i < by_kind.size(); ++i) by_kind[i] += other.by_kind[i];
  for (const auto& [role, count] : other.targets) targets[role] += count;
  for (const auto& [fault, count] : other.plan) plan[fault] += count;
  messages += other.messages;
  affected_messages += other.affected_messages;
}

std::string role_of(std::string_view path) {
  const bool is_layer = path.find("/layer/") != path.npos, is_output = path.find("/output") != path.npos;
  const std::string owner = is_layer ? "layer" : is_output ? "output" : path.starts_with("/replica") ? "replica" : "";
  if (path.ends_with("/supervisor")) return owner.empty() ? "supervisor" : owner + " supervisor";
  if (path.find("/head/") != path.npos) return "head";
  if (path.find("/cross_head/") != path.npos) return "cross head";
  if (path.find("/shard/") != path.npos) return owner + " shard";
  if (path.starts_with("/sequences/")) return "sequence";
  if (path.ends_with("/embedding")) return "embedding";
  if (path.find("/remote_layers/") != path.npos) return "remote layers";
  if (path.starts_with("/cluster/worker/")) return "worker link";
  return owner.empty() ? std::string(path.substr(path.starts_with("/"))) : owner;
}

} // namespace troupe::testing
