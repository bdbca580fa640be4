#pragma once
// Small things that every actor on the path of a step does with the step's messages.
#include "model/parts.hpp"
#include "troupe/v1/step.pb.h"
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace troupe {

using float_field = google::protobuf::RepeatedField<float>;

/// Names a step. Ordered: a later step is greater, across lives of the scheduler too.
struct step_id {
  uint64_t epoch = 0, step = 0;
  auto operator<=>(const step_id&) const = default;
};
template <class Message> step_id id_of(const Message& message) { return {message.epoch(), message.step()}; }

/// Lets only the newest step pass: whatever is older than the newest seen arrived late and is dropped. The newest again is a
/// repetition, which every receiver answers again.
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

/// Rows of the whole step. Throws broken_invariant for a plan that contradicts itself.
uint32_t checked_rows(const v1::StepPlan& plan);

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

/// What the parts' maths works in. Actors on one thread take turns, so they need no buffers of their own, which would be large
/// after a long prompt and would have left the caches by the next token.
part_scratch& scratch_of_this_thread();

/// One actor, not whoever is at its path. An id of 0: whoever says so itself, where that makes sense, else nobody.
struct actor_name {
  std::string path;
  uint64_t id = 0;
};

v1::StepFault make_fault(step_id id, v1::FaultKind kind, const actor_name& who);
/// nullopt-like: an empty suspect list means that all values are finite.
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

} // namespace troupe
