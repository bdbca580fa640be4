// Attention over a key/value cache on the vectors of one instruction set: simd_*.hpp and rowwise_kernels.hpp
// come first. A unit of work is one query row's one head; a few units, in order, pass over the cache together.
#pragma once
#include "model/kernels/kernel_arguments.hpp"
#include <algorithm>

namespace troupe::TROUPE_ISA {

constexpr uint32_t page_positions = kv_cache::page_positions;
constexpr int page_vectors = page_positions / 16;

/// 16 elements of a cache from index `i` on.
template <cache_type Type>
TROUPE_INLINE f32x16 load_cached(const uint8_t* elements, uint64_t i) {
  if constexpr (Type == cache_type::f32)
    return load(reinterpret_cast<const float*>(elements) + i);
  else
    return load_half(elements + 2 * i);
}

template <cache_type Type>
constexpr uint64_t element_bytes = Type == cache_type::f32 ? 4 : 2;

/// Memory that is needed soon. Pages are not contiguous, so the hardware cannot predict the next one.
struct fetch_range {
  const uint8_t* begin = nullptr;
  uint64_t bytes = 0;
  TROUPE_INLINE void fetch(uint64_t at) const {
    if (at < bytes) __builtin_prefetch(begin + at, 0, 2);
  }
};

/// The keys that are in use of a page with `positions` of them or more; the values.
template <cache_type Type>
fetch_range keys_of(const kv_cache& cache, uint32_t page, uint32_t positions) {
  const uint32_t used = (std::min(positions, page_positions) + 15) / 16 * 16;
  return {cache.keys(page), uint64_t(used) * cache.head_dim() * element_bytes<Type>};
}
template <cache_type Type>
fetch_range values_of(const kv_cache& cache, uint32_t page, uint32_t positions) {
  return {cache.values(page), uint64_t(std::min(positions, page_positions)) * cache.head_dim() * element_bytes<Type>};
}

/// Scores of the first `Vectors` * 16 positions of one page for `Units` queries: weights[u][p] = scale * q_u·k_p. One lane is one
/// position and walks the elements in order. Meanwhile what is `ahead` is fetched.
template <cache_type Type, int Units, int Vectors>
TROUPE_INLINE void score_page(const uint8_t* keys, const fetch_range& ahead, const float* const* queries,
                              uint32_t head_dim, float scale, float* const* weights) {
  f32x16 sums[Units][Vectors];
  repeat<Units>([&](auto u) TROUPE_LAMBDA {
    repeat<Vectors>([&](auto v) TROUPE_LAMBDA { sums[u][v] = zero_floats(); });
  });
  constexpr int lines = Type == cache_type::f32 ? 4 : 2; // Of one element of 64 keys.
  for (uint32_t d = 0; d < head_dim; ++d) {
    repeat<lines>([&](auto i) TROUPE_LAMBDA { ahead.fetch((d * lines + i) * 64); });
    f32x16 k[Vectors];
    repeat<Vectors>(
        [&](auto v) TROUPE_LAMBDA { k[v] = load_cached<Type>(keys, (uint64_t(v) * head_dim + d) * 16); });
    repeat<Units>([&](auto u) TROUPE_LAMBDA {
      const f32x16 q = all_lanes(queries[u][d]);
      repeat<Vectors>([&](auto v) TROUPE_LAMBDA { sums[u][v] = fma(k[v], q, sums[u][v]); });
    });
  }
  repeat<Units>([&](auto u) TROUPE_LAMBDA {
    repeat<Vectors>([&](auto v) TROUPE_LAMBDA { store(weights[u] + 16 * v, sums[u][v] * all_lanes(scale)); });
  });
}

/// What is added to the scores of a query row's head, from position 0 on.
inline const float* bias_of(const score_bias& bias, uint32_t row, uint32_t head) {
  if (bias.of_distance_0 == nullptr) return nullptr;
  return bias.of_distance_0 + head * bias.stride - (uint64_t(bias.first_position) + row);
}

/// weights[u][i] += biases[u][position + i] for `Vectors` * 16 positions.
template <int Units, int Vectors>
TROUPE_INLINE void add_biases(const float* const* biases, uint32_t position, float* const* weights) {
  repeat<Units>([&](auto u) TROUPE_LAMBDA {
    repeat<Vectors>([&](auto v) TROUPE_LAMBDA {
      store(weights[u] + 16 * v, load(weights[u] + 16 * v) + load(biases[u] + position + 16 * v));
    });
  });
}

/// From scores to normalised weights, in place; returns their sum. Position p belongs to lane p % 16 of both
/// sums.
TROUPE_INLINE float softmax(float* weights, uint32_t positions) {
  const uint32_t whole = positions / 16 * 16, rest = positions - whole;
  const f32x16 lowest = all_lanes(-__builtin_inff());
  f32x16 largest = lowest;
  for (uint32_t p = 0; p < whole; p += 16) largest = max(largest, load(weights + p));
  if (rest > 0) { // Positions after the last one must neither be seen nor have a weight.
    for (uint32_t p = positions; p < whole + 16; ++p) weights[p] = -__builtin_inff();
    largest = max(largest, load(weights + whole));
  }
  const f32x16 top = all_lanes(max_of_lanes(largest));
  f32x16 sum = zero_floats();
  each_run(positions, [&](uint32_t p, uint32_t) TROUPE_LAMBDA {
    const f32x16 weight = exponential(load(weights + p) - top);
    store(weights + p, weight);
    sum = sum + weight;
  });
  const f32x16 inverse = all_lanes(1.0f / sum_of_lanes(sum));
  f32x16 check = zero_floats();
  each_run(positions, [&](uint32_t p, uint32_t) TROUPE_LAMBDA {
    const f32x16 weight = load(weights + p) * inverse;
    store(weights + p, weight);
    check = check + weight;
  });
  return sum_of_lanes(check);
}

template <int Units>
struct attention_units {
  const float* queries[Units];
  const float* biases[Units]; // Of position 0; null where there are none.
  float* out[Units];
  uint32_t positions[Units]; // Ascending.
  float* weights[Units];
};

/// out[u][d] = Σ_p weights[u][p] * values[p][d] for `Vectors` vectors of d from `first` on. One lane is one d
/// and walks the positions in order. `lanes` of the last vector exist; what the others hold is not stored. Meanwhile the next page is
/// fetched, or what is `behind` the last.
template <cache_type Type, int Units, int Vectors>
TROUPE_INLINE void sum_values(const kv_cache& cache, const attention_units<Units>& units, uint32_t first,
                              uint32_t lanes, const fetch_range& behind) {
  const uint32_t head_dim = cache.head_dim();
  f32x16 sums[Units][Vectors];
  repeat<Units>([&](auto u) TROUPE_LAMBDA {
    repeat<Vectors>([&](auto v) TROUPE_LAMBDA { sums[u][v] = zero_floats(); });
  });
  const uint32_t common = units.positions[0];
  constexpr uint32_t element = element_bytes<Type>;
  for (uint32_t begin = 0; begin < common; begin += page_positions) {
    const uint8_t* values = cache.values(begin / page_positions);
    const uint32_t end = std::min(begin + page_positions, common);
    const fetch_range ahead = end < common ? values_of<Type>(cache, begin / page_positions + 1, common - end) : behind;
    uint64_t at = first;
    for (uint32_t p = begin; p < end; ++p, at += head_dim) {
      for (uint32_t byte = 0; byte < Vectors * 16 * element; byte += 64) ahead.fetch(at * element + byte);
      f32x16 x[Vectors];
      repeat<Vectors>([&](auto v) TROUPE_LAMBDA { x[v] = load_cached<Type>(values, at + 16 * v); });
      repeat<Units>([&](auto u) TROUPE_LAMBDA {
        const f32x16 weight = all_lanes(units.weights[u][p]);
        repeat<Vectors>([&](auto v) TROUPE_LAMBDA { sums[u][v] = fma(x[v], weight, sums[u][v]); });
      });
    }
  }
  repeat<Units>([&](auto u) TROUPE_LAMBDA {
    for (uint32_t p = common; p < units.positions[u]; ++p) { // What only later rows see.
      const uint8_t* values = cache.values(p / page_positions);
      const uint64_t at = uint64_t(p % page_positions) * head_dim + first;
      const f32x16 weight = all_lanes(units.weights[u][p]);
      repeat<Vectors>([&](auto v) TROUPE_LAMBDA {
        sums[u][v] = fma(load_cached<Type>(values, at + 16 * v), weight, sums[u][v]);
      });
    }
    repeat<Vectors>([&](auto v) TROUPE_LAMBDA {
      store_first(units.out[u] + first + 16 * v, sums[u][v], v + 1 < Vectors ? 16 : lanes);
    });
  });
}

/// Units [first_unit, first_unit + Units), of which the last that exists may be repeated, harmlessly.
template <cache_type Type, int Units>
void attend_units(const attention_task& task, uint32_t first_unit) {
  const uint32_t head_dim = task.cache.head_dim(), last_unit = task.queries.rows * task.heads - 1;
  attention_units<Units> units;
  for (uint32_t i = 0; i < uint32_t(Units); ++i) {
    const uint32_t unit = std::min(first_unit + i, last_unit), row = unit / task.heads, head = unit % task.heads;
    units.queries[i] = task.queries.data + row * task.queries.stride + head * head_dim;
    units.biases[i] = bias_of(task.bias, row, head);
    units.out[i] = task.out.data + row * task.out.stride + head * head_dim;
    units.positions[i] = task.visible.of_row(row);
  }
  const uint32_t positions = units.positions[Units - 1], pages = (positions + page_positions - 1) / page_positions;
  float* moving[Units];
  for (int i = 0; i < Units; ++i) moving[i] = units.weights[i] = task.weights + uint64_t(i) * pages * page_positions;
  for (uint32_t page = 0; page < pages; ++page) {
    const uint32_t left = positions - page * page_positions; // Of a page that is not full only the vectors in use are read.
    const fetch_range ahead = page + 1 < pages ? keys_of<Type>(task.cache, page + 1, left - page_positions)
                                               : values_of<Type>(task.cache, 0, positions);
    with_size<1, 2, 3, page_vectors>((left + 15) / 16, [&](auto vectors) {
      score_page<Type, Units, vectors>(task.cache.keys(page), ahead, units.queries, head_dim, task.scale, moving);
      if (task.bias.of_distance_0 != nullptr) add_biases<Units, vectors>(units.biases, page * page_positions, moving);
    });
    for (float*& weights : moving) weights += page_positions;
  }
  for (uint32_t i = 0; i < uint32_t(Units); ++i)
    task.sums[std::min(first_unit + i, last_unit)] = softmax(units.weights[i], units.positions[i]);
  fetch_range behind;
  if (task.next != nullptr && task.next->length() > 0) behind = keys_of<Type>(*task.next, 0, task.next->length());
  for (uint32_t first = 0; first < head_dim;) {
    const uint32_t left = (head_dim - first + 15) / 16, tail = (head_dim - 1) % 16 + 1;
    with_size<1, 2, 4>(left >= 4   ? 4
                       : left >= 2 ? 2
                                   : 1,
                       [&](auto vectors) {
                         sum_values<Type, Units, vectors>(task.cache, units, first, left == uint32_t(vectors) ? tail : 16,
                                                          behind);
                         first += 16 * vectors;
                       });
  }
}

template <cache_type Type>
void attend_all(const attention_task& task) {
  const uint32_t count = task.queries.rows * task.heads;
  for (uint32_t unit = 0; unit < count; unit += uint32_t(units_at_once))
    if constexpr (units_at_once == 1)
      attend_units<Type, 1>(task, unit);
    else
      with_size<1, 2, units_at_once>(count - unit, [&](auto units) { attend_units<Type, units>(task, unit); });
}

void attend(const attention_task& task) {
  if (task.cache.type() == cache_type::f32)
    attend_all<cache_type::f32>(task);
  else
    attend_all<cache_type::f16>(task);
}

} // namespace troupe::TROUPE_ISA
