// The loops of limits.hpp on the vectors of one instruction set: simd_*.hpp comes first.
#pragma once
#include <cstdint>

namespace troupe::TROUPE_ISA {

constexpr int limit_chains = 12; // Enough independent sums to hide the latency of each.

/// Without it the compiler would leave out computations whose result is not used.
inline void keep(i32x16 x) {
  int8_t sink[16];
  store_bytes(sink, x);
  asm volatile("" : : "r"(sink) : "memory");
}

void read_all(const uint8_t* bytes, uint64_t count) {
  u8x64 sums[8] = {};
  for (uint64_t i = 0; i < count; i += 512)
    repeat<8>([&](auto j) TROUPE_LAMBDA { sums[j] = sums[j] | load_codes(bytes + i + 64 * j); });
  i32x16 dots = all_lanes(0);
  repeat<8>([&](auto j) TROUPE_LAMBDA { dots = dot_codes<8>(dots, sums[j], all_lanes(1)); });
  keep(dots);
}

uint64_t multiply_int8_only(uint64_t operations) {
  constexpr uint64_t each = limit_chains * 64 * 2;
  const uint64_t rounds = operations / each + 1;
  i32x16 sums[limit_chains];
  repeat<limit_chains>([&](auto j) TROUPE_LAMBDA { sums[j] = all_lanes(int32_t(j)); });
  const u8x64 w = all_bytes(3);
  const i32x16 x = all_lanes(0x01020301);
  for (uint64_t i = 0; i < rounds; ++i)
    repeat<limit_chains>([&](auto j) TROUPE_LAMBDA { sums[j] = dot_codes<4>(sums[j], w, x); });
  repeat<limit_chains - 1>([&](auto j) TROUPE_LAMBDA { sums[0] = sums[0] + sums[j + 1]; });
  keep(sums[0]);
  return rounds * each;
}

uint64_t multiply_float_only(uint64_t operations) {
  constexpr uint64_t each = limit_chains * 16 * 2;
  const uint64_t rounds = operations / each + 1;
  f32x16 sums[limit_chains];
  repeat<limit_chains>([&](auto j) TROUPE_LAMBDA { sums[j] = all_lanes(float(int(j))); });
  const f32x16 w = all_lanes(0.5f), x = all_lanes(0.25f);
  for (uint64_t i = 0; i < rounds; ++i)
    repeat<limit_chains>([&](auto j) TROUPE_LAMBDA { sums[j] = fma(w, x, sums[j]); });
  repeat<limit_chains - 1>([&](auto j) TROUPE_LAMBDA { sums[0] = sums[0] + sums[j + 1]; });
  keep(bits_of(sums[0]));
  return rounds * each;
}

} // namespace troupe::TROUPE_ISA
