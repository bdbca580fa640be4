// The kernels in plain C++, for any CPU: slow, and the specification of the others.
#include "model/kernels/kernel_arguments.hpp"
#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>

#define TROUPE_ISA plain
#include "model/kernels/simd_plain.hpp"

namespace troupe::plain {
constexpr int int8_groups_few = 1, int8_groups = 1;
constexpr uint32_t int8_rows_few = 1;
using int8_row_sizes_few = std::integer_sequence<int, 1>;
constexpr uint32_t int8_rows_unpacked = 8; // Up to here unpacking for each tile of rows costs less.
using int8_row_sizes = std::integer_sequence<int, 4>;
constexpr int float_groups_few = 1, float_groups = 1;
constexpr uint32_t float_rows_few = 1;
using float_row_sizes_few = std::integer_sequence<int, 1>;
constexpr uint32_t float_rows_widened = 8; // The same for 16-bit weights.
using float_row_sizes = std::integer_sequence<int, 4>;
constexpr int units_at_once = 1;
} // namespace troupe::plain

#include "model/kernels/all_kernels.hpp"

namespace troupe {
constinit const kernel_table plain_kernels = plain::make_table("plain");
} // namespace troupe
