// One bit of an accumulator flipped, on plain C++.
#include "model/struck_product.hpp"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#define TROUPE_ISA struck_plain_kernels
#include "model/kernels/simd_plain.hpp"
#include "model/struck_kernels.hpp"

namespace troupe::testing {
bool struck_plain(const product& task, uint32_t* totals) { return struck_plain_kernels::struck_product(task, totals); }
} // namespace troupe::testing
