// Products of weights of any type: what a kernel_table offers. matrix_kernels.hpp and check_kernels.hpp come first; they are templates,
// so that a test of a few types compiles those alone.
#pragma once
#include "model/kernels/kernel_arguments.hpp"
#include <algorithm>

namespace troupe::TROUPE_ISA {

void multiply_any_float(const product& task, const product_range& range) {
  if (task.w.get().type == tensor_type::f32)
    multiply_float<tensor_type::f32>(task, range);
  else if (task.w.get().type == tensor_type::f16)
    multiply_float<tensor_type::f16>(task, range);
  else
    multiply_float<tensor_type::bf16>(task, range);
}

/// Returns false for a type without blocks.
bool multiply_range(const product& task, const product_range& range) {
  return with_block_format(task.w.get().type, [&](auto format) {
    if (range.dot_totals == nullptr)
      multiply_int8<decltype(format), unchecked>(task, range);
    else
      multiply_int8<decltype(format), checked>(task, range);
  });
}

void multiply_any(const product& task) {
  const product_range all{0, task.w.get().groups, nullptr};
  if (!multiply_range(task, all)) multiply_any_float(task, all);
}

/// Each strip while it is in a cache anyway.
bool multiply_float_checked(const product& task) {
  const packed_matrix::layout& w = task.w.get();
  for (uint32_t strip = 0; strip < w.strips.size(); ++strip) {
    const uint32_t first = strip * strip_groups, last = std::min(first + strip_groups, w.groups);
    if (sum_words(w.codes(first), (last - first) * w.code_bytes) != w.strips[strip].codes) return false;
    multiply_any_float(task, {first, last, nullptr});
  }
  return true;
}

bool multiply_checked(const product& task, uint32_t* totals) {
  const bool has_blocks = with_block_format(task.w.get().type, [](auto) {});
  return has_blocks ? multiply_int8_checked(task, totals, multiply_range) : multiply_float_checked(task);
}

} // namespace troupe::TROUPE_ISA
