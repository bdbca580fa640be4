// One bit of an accumulator flipped, on plain C++.
#include "model/struck_product.hpp"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#define TROUPE_ISA struck_plain_kernels
#include "model/kernels/simd_plain.hpp"

namespace troupe::TROUPE_ISA {
constexpr int int8_groups_few = 1, int8_groups = 1;
constexpr uint32_t int8_rows_few = 1;
using int8_row_sizes_few = std::integer_sequence<int, 1>;
using int8_row_sizes = std::integer_sequence<int, 4>;
constexpr uint32_t int8_rows_unpacked = 2; // So that unpacked weights are met as well.
constexpr int float_groups_few = 1, float_groups = 1;
constexpr uint32_t float_rows_few = 1;
using float_row_sizes_few = std::integer_sequence<int, 1>;
constexpr uint32_t float_rows_widened = 8;
using float_row_sizes = std::integer_sequence<int, 2>;
} // namespace troupe::TROUPE_ISA

#include "model/struck_kernels.hpp"

namespace troupe::testing {
bool struck_plain(const product& task, uint32_t* totals) { return struck_plain_kernels::struck_product(task, totals); }
} // namespace troupe::testing
