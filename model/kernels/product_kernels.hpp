// Products of weights of any type: what a kernel_table offers. matrix_kernels.hpp and check_kernels.hpp come first; they are templates,
// so that a test of a few types compiles those alone.
#pragma once
#include "model/kernels/kernel_arguments.hpp"
#include <algorithm>

namespace troupe::TROUPE_ISA {

void multiply_any_float(const product& task, group_range groups) {
  if (task.w.get().type == tensor_type::f32)
    multiply_float<tensor_type::f32>(task, groups);
  else if (task.w.get().type == tensor_type::f16)
    multiply_float<tensor_type::f16>(task, groups);
  else
    multiply_float<tensor_type::bf16>(task, groups);
}

void multiply_any(const product& task) {
  const group_range all{0, task.w.get().groups, nullptr};
  const bool has_blocks = with_block_format(
      task.w.get().type, [&](auto format) { multiply_int8<decltype(format), unchecked>(task, all); });
  if (!has_blocks) multiply_any_float(task, all);
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
  bool is_right = false;
  const bool has_blocks = with_block_format(task.w.get().type, [&](auto format) {
    is_right = multiply_int8_checked(task, totals, multiply_int8<decltype(format), checked>);
  });
  return has_blocks ? is_right : multiply_float_checked(task);
}

} // namespace troupe::TROUPE_ISA
