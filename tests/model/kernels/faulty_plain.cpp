// One bit of an accumulator flipped, on plain C++.
#include "model/kernels/faulty_product.hpp"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#define TROUPE_ISA faulty_plain_kernels
#include "model/kernels/simd_plain.hpp"
#include "model/kernels/faulty_kernels.hpp"

namespace troupe::testing {
bool faulty_plain(const product& task, uint32_t* totals) { return faulty_plain_kernels::faulty_product(task, totals); }
} // namespace troupe::testing
