// Included by struck_*.cpp after the vectors and the tile sizes of an instruction set, inside its target pragma.
#pragma once
#include "model/kernels/unroll.hpp"
#include "model/kernels/matrix_kernels.hpp"
#include "model/kernels/check_kernels.hpp"

namespace troupe::TROUPE_ISA {

struct struck {
  static constexpr bool is_on = true;
  static void see(i32x16& dots, uint32_t first_column, uint32_t row, uint32_t block) {
    uint32_t lanes[16];
    std::memcpy(lanes, &dots, sizeof lanes);
    testing::strike_now->see(lanes, first_column, row, block);
    std::memcpy(&dots, lanes, sizeof lanes);
  }
};

inline bool struck_product(const product& task, uint32_t* totals) {
  switch (task.w.get().type) {
  case tensor_type::q8_0: return multiply_int8_checked<block_format<tensor_type::q8_0>, struck>(task, totals);
  case tensor_type::q4_k: return multiply_int8_checked<block_format<tensor_type::q4_k>, struck>(task, totals);
  default: return multiply_int8_checked<block_format<tensor_type::q6_k>, struck>(task, totals);
  }
}

} // namespace troupe::TROUPE_ISA
