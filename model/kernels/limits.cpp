// Checks and dispatch of the limits; the loops are in limits_kernels.hpp.
#include "model/kernels/limits.hpp"
#include "model/error.hpp"
#include "model/kernels/kernel_table.hpp"

namespace troupe {

void read_all(std::span<const uint8_t> bytes) {
  TROUPE_ASSERT(bytes.size() % 512 == 0);
  TROUPE_ASSERT(reinterpret_cast<uintptr_t>(bytes.data()) % 64 == 0);
  current_kernels().read_all(bytes.data(), bytes.size());
}

uint64_t multiply_int8_only(uint64_t operations) { return current_kernels().multiply_int8_only(operations); }
uint64_t multiply_float_only(uint64_t operations) { return current_kernels().multiply_float_only(operations); }

} // namespace troupe
