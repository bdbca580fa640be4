#pragma once
// The kernels of checked products with one bit of one int32 accumulator flipped on the way, for each instruction set.
#include "model/kernels/kernel_table.hpp"
#include <string>

namespace troupe::testing {

/// Which bit: of the dots of 16 weight rows from `first_column` on, in tile row `row`, at `block`, in `lane`. The first tile
/// that fits is struck, and no other.
struct accumulator_strike {
  uint32_t first_column = 0, row = 0, block = 0, lane = 0, bit = 0;
  bool has_struck = false;

  void see(uint32_t* lanes, uint32_t column, uint32_t at_row, uint32_t at_block) {
    if (has_struck || column != first_column || at_row != row || at_block != block) return;
    lanes[lane] ^= 1u << bit;
    has_struck = true;
  }
};
inline accumulator_strike* strike_now = nullptr;

/// As kernel_table::multiply_checked, with `strike`. Types Q8_0, Q4_K and Q6_K: with an offset, with minimums, in two parts.
bool struck_plain(const product& task, uint32_t* totals);
#if defined(__x86_64__)
bool struck_avx2(const product& task, uint32_t* totals);
bool struck_avx512(const product& task, uint32_t* totals);
#endif

inline bool struck_product(const std::string& isa, const product& task, uint32_t* totals, accumulator_strike& strike) {
  strike_now = &strike;
#if defined(__x86_64__)
  if (isa == "avx512") return struck_avx512(task, totals);
  if (isa == "avx2") return struck_avx2(task, totals);
#endif
  return struck_plain(task, totals);
}

} // namespace troupe::testing
