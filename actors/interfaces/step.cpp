#include "actors/interfaces/step.hpp"

#include "model/error.hpp"
#include "model/kernels/rowwise.hpp"

namespace troupe {

uint32_t checked_rows(const v1::StepPlan& plan) {
  const int slices = plan.sequence_ids_size();
  TROUPE_ASSERT(plan.step() > 0);
  TROUPE_ASSERT(plan.positions_size() == slices);
  TROUPE_ASSERT(plan.rows_size() == slices);
  TROUPE_ASSERT(plan.logits_rows_size() == slices);
  uint64_t rows = 0;
  for (int i = 0; i < slices; ++i) {
    TROUPE_ASSERT(plan.rows(i) >= 1);
    TROUPE_ASSERT(plan.logits_rows(i) <= plan.rows(i));
    rows += plan.rows(i);
  }
  TROUPE_ASSERT(rows <= INT32_MAX);
  TROUPE_ASSERT(plan.forked_from_size() == 0 || plan.forked_from_size() == slices);
  return uint32_t(rows);
}

uint32_t source_rows(const v1::StepPlan& plan) {
  TROUPE_ASSERT(plan.source_rows_size() == plan.source_sequence_ids_size());
  uint64_t rows = 0;
  for (const uint32_t one : plan.source_rows()) {
    TROUPE_ASSERT(one >= 1);
    rows += one;
  }
  TROUPE_ASSERT(rows <= INT32_MAX);
  return uint32_t(rows);
}

float* allocate(float_field& field, uint64_t n) {
  TROUPE_ASSERT(n <= INT32_MAX);
  field.Clear();
  field.Reserve(int(n));
  return n == 0 ? field.mutable_data() : field.AddNAlreadyReserved(int(n));
}

namespace {

using ids = google::protobuf::RepeatedField<uint64_t>;
using counts = google::protobuf::RepeatedField<uint32_t>;

std::vector<uint64_t> non_finite(const ids& sequences, const counts& rows, const float_field& values, uint32_t width) {
  std::vector<uint64_t> found;
  if (is_finite({values.data(), size_t(values.size())})) return found;
  const float* row = values.data();
  for (int i = 0; i < sequences.size(); ++i) {
    const size_t count = size_t(rows[i]) * width;
    if (!is_finite({row, count})) found.push_back(sequences[i]);
    row += count;
  }
  return found;
}

} // namespace

std::vector<uint64_t> non_finite_sequences(const v1::StepPlan& plan, const float_field& values, uint32_t width) {
  return non_finite(plan.sequence_ids(), plan.rows(), values, width);
}

std::vector<uint64_t> non_finite_sources(const v1::StepPlan& plan, const float_field& values, uint32_t width) {
  return non_finite(plan.source_sequence_ids(), plan.source_rows(), values, width);
}

v1::StepFault make_fault(step_id id, v1::FaultKind kind, const actor_name& who) {
  v1::StepFault fault;
  fault.set_epoch(id.epoch);
  fault.set_step(id.step);
  fault.set_kind(kind);
  fault.set_path(who.path);
  fault.set_actor_id(who.id);
  return fault;
}

v1::StepFault make_non_finite_fault(const v1::StepPlan& plan, const actor_name& who,
                                    const std::vector<uint64_t>& suspects) {
  auto fault = make_fault(id_of(plan), v1::FAULT_KIND_NON_FINITE, who);
  fault.mutable_suspect_sequence_ids()->Add(suspects.begin(), suspects.end());
  return fault;
}

} // namespace troupe
