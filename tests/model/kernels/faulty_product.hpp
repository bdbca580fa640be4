#pragma once
// The kernels of checked products with one bit of one int32 accumulator flipped on the way, for each instruction set.
#include "model/kernels/kernel_arguments.hpp"
#include <cstdint>
#include <string>

namespace troupe::testing {

/// Which bit is flipped: of the dots of 16 weight rows from `first_column` on, in tile row `row`, at `block`, in `lane`. The
/// fault is injected into the first tile that fits, and into no other.
struct accumulator_fault {
  uint32_t first_column = 0, row = 0, block = 0, lane = 0, bit = 0;
  bool was_injected = false;

  void see(uint32_t* lanes, uint32_t column, uint32_t at_row, uint32_t at_block) {
    if (was_injected || column != first_column || at_row != row || at_block != block) return;
    lanes[lane] ^= 1u << bit;
    was_injected = true;
  }
};
inline accumulator_fault* current_fault = nullptr;

/// As kernel_table::multiply_checked, with `current_fault` injected. Types Q8_0, Q4_K and Q6_K: with an offset, with minimums,
/// in two parts.
bool faulty_plain(const product& task, uint32_t* totals);
#if defined(__x86_64__)
bool faulty_avx2(const product& task, uint32_t* totals);
bool faulty_avx512(const product& task, uint32_t* totals);
bool faulty_amx(const product& task, uint32_t* totals);
#endif

inline bool faulty_product(const std::string& isa, const product& task, uint32_t* totals, accumulator_fault& fault) {
  current_fault = &fault;
#if defined(__x86_64__)
  if (isa == "amx") return faulty_amx(task, totals);
  if (isa == "avx512") return faulty_avx512(task, totals);
  if (isa == "avx2") return faulty_avx2(task, totals);
#endif
  return faulty_plain(task, totals);
}

} // namespace troupe::testing
