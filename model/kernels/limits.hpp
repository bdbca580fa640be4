#pragma once
// Loops that do nothing but reach a limit of one processor core, on the instruction set in use (isa.hpp): what benchmarks
// measure kernels against. The caller holds the clock.
#include <cstdint>
#include <span>

namespace troupe {

/// Reads all of `bytes` once, from first to last. bytes.size(): a multiple of 512, aligned to 64.
void read_all(std::span<const uint8_t> bytes);

/// Does at least `operations` independent multiplications and additions, of int8 into int32 as products of quantised
/// weights do, or of float32; returns how many it did.
uint64_t multiply_int8_only(uint64_t operations);
uint64_t multiply_float_only(uint64_t operations);

} // namespace troupe
