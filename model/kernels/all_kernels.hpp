// The kernel_table of one instruction set. Each kernels_*.cpp defines TROUPE_ISA, its tile sizes and its
// vectors, and then includes this.
#pragma once
#include "model/kernels/unroll.hpp"
// unroll.hpp first.
#include "model/kernels/matrix_kernels.hpp"
// check_kernels.hpp needs those.
#include "model/kernels/check_kernels.hpp"
// product_kernels.hpp needs both.
#include "model/kernels/product_kernels.hpp"
#include "model/kernels/rowwise_kernels.hpp"
// attention_kernels.hpp needs exponential() of rowwise_kernels.hpp.
#include "model/kernels/attention_kernels.hpp"
#include "model/kernels/backward_kernels.hpp"
#include "model/kernels/gemm_kernels.hpp"
#include "model/kernels/limits_kernels.hpp"

namespace troupe::TROUPE_ISA {

constexpr kernel_table make_table(const char* name) {
  return {.name = name,
          .multiply = multiply_any,
          .multiply_checked = multiply_checked,
          .sum_words = sum_words,
          .quantize_row = quantize_row,
          .normalize = normalize,
          .activate = activate,
          .activate_gated = activate_gated,
          .add = add,
          .rotate_interleaved = rotate_interleaved,
          .rotate_halves = rotate_halves,
          .largest = largest,
          .is_finite = is_finite,
          .to_halves = to_halves,
          .attend = attend,
          .gemm = gemm,
          .normalize_backward = normalize_backward,
          .activate_backward = activate_backward,
          .activate_gated_backward = activate_gated_backward,
          .softmax = softmax_of_row,
          .softmax_backward = softmax_backward,
          .sum_logits = sum_logits,
          .cross_entropy_backward = cross_entropy_backward,
          .adam = adam,
          .read_all = read_all,
          .multiply_int8_only = multiply_int8_only,
          .multiply_float_only = multiply_float_only};
}

} // namespace troupe::TROUPE_ISA
