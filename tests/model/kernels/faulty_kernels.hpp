// Faulty kernels: included by faulty_*.cpp after the vectors of an instruction set, inside its target pragma.
#pragma once
namespace troupe::TROUPE_ISA {
// Every kind of tile that there is, on every instruction set.
constexpr int int8_groups_few = 1, int8_groups = 2;
constexpr uint32_t int8_rows_few = 4;
using int8_row_sizes_few = std::integer_sequence<int, 1, 4>;
using int8_row_sizes = std::integer_sequence<int, 2, 4, 6>;
constexpr uint32_t int8_rows_unpacked = 2; // So that unpacked weights are used as well.
constexpr int float_groups_few = 1, float_groups = 1;
constexpr uint32_t float_rows_few = 1, float_rows_widened = 2;
using float_row_sizes_few = std::integer_sequence<int, 1>;
using float_row_sizes = std::integer_sequence<int, 2>;
} // namespace troupe::TROUPE_ISA

#include "model/kernels/unroll.hpp"
#include "model/kernels/matrix_kernels.hpp"
#ifdef TROUPE_TILE_REGISTERS
#include "model/kernels/amx_products.hpp"
#endif
#include "model/kernels/check_kernels.hpp"

namespace troupe::TROUPE_ISA {

struct faulty {
  static constexpr bool is_on = true;
  static void see(i32x16& dots, uint32_t first_column, uint32_t row, uint32_t block) {
    uint32_t lanes[16];
    std::memcpy(lanes, &dots, sizeof lanes);
    testing::current_fault->see(lanes, first_column, row, block);
    std::memcpy(&dots, lanes, sizeof lanes);
  }
};

template <class Format>
bool faulty_product_of(const product& task, uint32_t* totals) {
#ifdef TROUPE_TILE_REGISTERS
  if (task.x.has_tiles()) return multiply_int8_checked(task, totals, multiply_in_tiles<Format, faulty>);
#endif
  return multiply_int8_checked(task, totals, multiply_int8<Format, faulty>);
}

inline bool faulty_product(const product& task, uint32_t* totals) {
  switch (task.w.get().type) {
  case tensor_type::q8_0: return faulty_product_of<block_format<tensor_type::q8_0>>(task, totals);
  case tensor_type::q4_k: return faulty_product_of<block_format<tensor_type::q4_k>>(task, totals);
  default: return faulty_product_of<block_format<tensor_type::q6_k>>(task, totals);
  }
}

} // namespace troupe::TROUPE_ISA
