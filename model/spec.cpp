#include "model/spec.hpp"
#include "model/error.hpp"
#include "model/kernels/exponential.hpp"
#include <algorithm>
#include <cstdlib>

namespace troupe {

uint32_t relative_bucket(const relative_positions_spec& spec, int64_t distance) {
  uint32_t buckets = spec.buckets, first = 0;
  uint64_t behind; // How far the key is behind the query; in two directions: how far apart they are.
  if (spec.bidirectional) {
    buckets /= 2;
    if (distance > 0) first = buckets;
    behind = uint64_t(std::abs(distance));
  } else {
    behind = distance < 0 ? uint64_t(-distance) : 0;
  }
  const uint32_t exact = buckets / 2;
  TROUPE_ASSERT(exact > 0 && spec.distance_max > exact);
  if (behind < exact) return first + uint32_t(behind);
  // In float32, as the models were trained: at a bucket's edge the last bit decides.
  const float share = float(logarithm(double(float(behind) / float(exact)))) / float(logarithm(double(spec.distance_max) / exact));
  return first + std::min(exact + uint32_t(share * float(buckets - exact)), buckets - 1);
}

} // namespace troupe
