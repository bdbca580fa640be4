// Sums that are kept of weights, and products that are compared with them, on the vectors of one instruction set:
// matrix_kernels.hpp comes first. What is compared, and why it finds every wrong bit, is said at multiply_checked in
// matrix.hpp.
#pragma once
#include "model/kernels/kernel_arguments.hpp"
#include <algorithm>

namespace troupe::TROUPE_ISA {

uint32_t sum_words(const uint8_t* bytes, uint64_t count) {
  const auto* words = reinterpret_cast<const float*>(bytes); // Only carried, never computed with.
  i32x16 sums[4];
  repeat<4>([&](auto j) TROUPE_LAMBDA { sums[j] = all_lanes(0); });
  const uint64_t length = count / 4;
  uint64_t i = 0;
  for (; i + 64 <= length; i += 64)
    repeat<4>([&](auto j) TROUPE_LAMBDA { sums[j] = sums[j] + bits_of(load(words + i + 16 * j)); });
  for (; i < length; i += 16)
    sums[0] = sums[0] + bits_of(load_first(words + i, uint32_t(std::min<uint64_t>(16, length - i))));
  return uint32_t(sum_of_lanes(sums[0] + sums[1] + (sums[2] + sums[3])));
}

/// Minus what the dots of a strip with each activation row must add up to.
void expect_totals(const product& task, uint32_t strip, uint32_t* totals) {
  const uint32_t blocks = task.w.columns() / 32;
  const int16_t* sums = task.w.get().column_sums + uint64_t(strip) * task.w.columns();
  for (uint32_t row = 0; row < task.x.rows(); ++row) {
    const int8_block* x = task.x.blocks(row);
    i32x16 even = all_lanes(0), odd = all_lanes(0);
    for (uint32_t block = 0; block + 2 <= blocks; block += 2) {
      even = dot_words(even, sums + uint64_t(block) * 32, x[block].codes);
      odd = dot_words(odd, sums + uint64_t(block) * 32 + 32, x[block + 1].codes);
    }
    if (blocks % 2 == 1) even = dot_words(even, sums + uint64_t(blocks - 1) * 32, x[blocks - 1].codes);
    totals[row] = 0 - uint32_t(sum_of_lanes(even + odd));
  }
}

/// multiply(task, groups): a strip of the product.
template <class Multiply>
bool multiply_int8_checked(const product& task, uint32_t* totals, Multiply multiply) {
  const packed_matrix::layout& w = task.w.get();
  for (uint32_t strip = 0; strip < w.strips.size(); ++strip) {
    const uint32_t first = strip * strip_groups, last = std::min(first + strip_groups, w.groups);
    if (sum_words(w.scales(first), (last - first) * w.scale_bytes) != w.strips[strip].scales) return false;
    expect_totals(task, strip, totals);
    multiply(task, group_range{first, last, totals});
    if (std::any_of(totals, totals + task.x.rows(), [](uint32_t total) { return total != 0; })) return false;
  }
  return true;
}

} // namespace troupe::TROUPE_ISA
