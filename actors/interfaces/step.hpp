#pragma once
// What every actor that takes part in a step does with the step's messages. A step is one forward pass of a batch of rows
// through the whole model; a row is one token of one sequence (messages/troupe/v1/step.proto).
#include "model/kernels/rows.hpp"
#include "troupe/v1/step.pb.h"
#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace troupe {

using float_field = google::protobuf::RepeatedField<float>;

/// Names a step. Ordered: a later step is greater, also across restarts of the scheduler, each of which begins an epoch.
struct step_id {
  uint64_t epoch = 0, step = 0;
  auto operator<=>(const step_id&) const = default;
};
template <class Message> step_id id_of(const Message& message) { return {message.epoch(), message.step()}; }

/// Admits only the newest step: a message of an older step than the newest seen is late, and is dropped. The newest step again
/// is a repetition, which every receiver answers again.
class step_gate {
public:
  bool admit(step_id id) {
    if (id < newest_) return false;
    newest_ = id;
    return true;
  }
  step_id newest() const { return newest_; }

private:
  step_id newest_;
};

/// How many rows the step has. Throws broken_invariant for a plan that contradicts itself.
uint32_t checked_rows(const v1::StepPlan& plan);
/// How many rows its sources have.
uint32_t source_rows(const v1::StepPlan& plan);

/// The sequences that an actor runs side by side have ids of their own, which no actor's id equals; the first has that of the actor.
constexpr uint32_t branches_max = 1 << 24; // Of one actor, ever.
inline uint64_t branch_id(uint64_t actor, uint32_t branch) {
  return branch == 0 ? actor : uint64_t(1) << 63 | actor << 24 | branch;
}
/// The actor that runs it.
inline uint64_t actor_of_branch(uint64_t id) { return id >> 63 == 0 ? id : (id & ~(uint64_t(1) << 63)) >> 24; }

/// Gives `field` n elements without writing zeros first; the caller fills them.
float* allocate(float_field& field, uint64_t n);

inline const_rows rows_of(const float_field& values, uint32_t rows, uint32_t columns) {
  return {values.data(), rows, columns, columns};
}
inline mutable_rows rows_of(float_field& values, uint32_t rows, uint32_t columns) {
  return {values.mutable_data(), rows, columns, columns};
}

/// Sequences that own a row with a NaN or an infinity, in plan order. Rows are independent, so these alone are affected.
/// values: [rows, width]
std::vector<uint64_t> non_finite_sequences(const v1::StepPlan& plan, const float_field& values, uint32_t width);
/// The same for the rows of sources. values: [source rows, width]
std::vector<uint64_t> non_finite_sources(const v1::StepPlan& plan, const float_field& values, uint32_t width);

/// One particular actor: its path, and its id, which distinguishes it from its predecessors and successors at that path. Id 0:
/// the sender of the message that names it, or, where that makes no sense, no actor.
struct actor_name {
  std::string path;
  uint64_t id = 0;
};

v1::StepFault make_fault(step_id id, v1::FaultKind kind, const actor_name& who);
/// `suspects`: as non_finite_sequences found them; at least one.
v1::StepFault make_non_finite_fault(const v1::StepPlan& plan, const actor_name& who,
                                    const std::vector<uint64_t>& suspects);

/// Nanoseconds since construction, for the totals that StepTimes carries; never for a decision.
class stopwatch {
public:
  uint64_t elapsed_ns() const {
    return uint64_t(std::chrono::nanoseconds(std::chrono::steady_clock::now() - start_).count());
  }

private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// An answer of a head, or of a shard, has come. The question and the answer are two messages.
inline void count_head(v1::StepTimes& times, uint64_t ns) {
  times.set_compute_ns(times.compute_ns() + ns);
  times.set_messages(times.messages() + 2);
  times.set_head_ns(times.head_ns() + ns);
  times.set_heads(times.heads() + 1);
}
inline void count_shard(v1::StepTimes& times, uint64_t ns) {
  times.set_compute_ns(times.compute_ns() + ns);
  times.set_messages(times.messages() + 2);
  times.set_shard_ns(times.shard_ns() + ns);
  times.set_shards(times.shards() + 1);
}
/// Adds `of` to `to`.
inline void add(v1::StepTimes& to, const v1::StepTimes& of) {
  to.set_compute_ns(to.compute_ns() + of.compute_ns());
  to.set_messages(to.messages() + of.messages());
  to.set_head_ns(to.head_ns() + of.head_ns());
  to.set_heads(to.heads() + of.heads());
  to.set_shard_ns(to.shard_ns() + of.shard_ns());
  to.set_shards(to.shards() + of.shards());
}

} // namespace troupe
