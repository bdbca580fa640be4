// Attention over a key/value cache on the vectors of one instruction set: simd_*.hpp and rowwise_kernels.hpp
// come first.
#pragma once
#include "model/kernels/kernel_table.hpp"
#include <algorithm>

namespace troupe::TROUPE_ISA {

constexpr uint32_t page_positions = kv_cache::page_positions;
constexpr int page_vectors = page_positions / 16;

/// Scores of the positions of one page for `Heads` queries: weights[h][p] = scale * q_h·k_p. One lane is one
/// position and walks the elements in order.
template <int Heads>
TROUPE_INLINE void score_page(const float* keys, const float* const* queries, uint32_t head_dim, float scale,
                              float* const* weights) {
  f32x16 sums[Heads][page_vectors];
  repeat<Heads>([&](auto h) TROUPE_LAMBDA {
    repeat<page_vectors>([&](auto v) TROUPE_LAMBDA { sums[h][v] = zero_floats(); });
  });
  for (uint32_t d = 0; d < head_dim; ++d) {
    f32x16 k[page_vectors];
    repeat<page_vectors>([&](auto v) TROUPE_LAMBDA { k[v] = load(keys + (v * head_dim + d) * 16); });
    repeat<Heads>([&](auto h) TROUPE_LAMBDA {
      const f32x16 q = all_lanes(queries[h][d]);
      repeat<page_vectors>([&](auto v) TROUPE_LAMBDA { sums[h][v] = fma(k[v], q, sums[h][v]); });
    });
  }
  repeat<Heads>([&](auto h) TROUPE_LAMBDA {
    repeat<page_vectors>([&](auto v)
                             TROUPE_LAMBDA { store(weights[h] + 16 * v, sums[h][v] * all_lanes(scale)); });
  });
}

/// From scores to normalised weights, in place; returns their sum. Position p belongs to lane p % 16 of both
/// sums.
TROUPE_INLINE float softmax(float* weights, uint32_t positions) {
  const uint32_t whole = positions / 16 * 16, rest = positions - whole;
  const f32x16 lowest = all_lanes(-__builtin_inff());
  f32x16 largest = lowest;
  for (uint32_t p = 0; p < whole; p += 16) largest = max(largest, load(weights + p));
  if (rest > 0) { // What lies behind the last position must neither be seen nor weigh anything.
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

/// out[h][d] = Σ_p weights[h][p] * values[p][d] for `Vectors` vectors of d from `first` on. One lane is one d
/// and walks the positions in order. `lanes` of the last vector exist.
template <int Heads, int Vectors>
TROUPE_INLINE void sum_values(const attention_task& task, const float* const* weights, float* const* out,
                              uint32_t first, uint32_t lanes) {
  const uint32_t head_dim = task.cache.head_dim();
  f32x16 sums[Heads][Vectors];
  repeat<Heads>([&](auto h) TROUPE_LAMBDA {
    repeat<Vectors>([&](auto v) TROUPE_LAMBDA { sums[h][v] = zero_floats(); });
  });
  const auto add_positions = [&](const float* values, uint32_t begin, uint32_t end,
                                 auto is_whole) TROUPE_LAMBDA {
    for (uint32_t p = begin; p < end; ++p, values += head_dim) {
      f32x16 x[Vectors];
      repeat<Vectors>([&](auto v) TROUPE_LAMBDA {
        x[v] = is_whole || v + 1 < Vectors ? load(values + 16 * v) : load_first(values + 16 * v, lanes);
      });
      repeat<Heads>([&](auto h) TROUPE_LAMBDA {
        const f32x16 weight = all_lanes(weights[h][p]);
        repeat<Vectors>([&](auto v) TROUPE_LAMBDA { sums[h][v] = fma(x[v], weight, sums[h][v]); });
      });
    }
  };
  for (uint32_t begin = 0; begin < task.positions; begin += page_positions) {
    const float* values = task.cache.values(begin / page_positions) + first;
    const uint32_t end = std::min(begin + page_positions, task.positions);
    if (lanes == 16)
      add_positions(values, begin, end, std::true_type{});
    else
      add_positions(values, begin, end, std::false_type{});
  }
  repeat<Heads>([&](auto h) TROUPE_LAMBDA {
    repeat<Vectors>([&](auto v) TROUPE_LAMBDA {
      store_first(out[h] + first + 16 * v, sums[h][v], v + 1 < Vectors ? 16 : lanes);
    });
  });
}

template <int Heads>
void attend_heads(const attention_task& task, uint32_t first_head) {
  const uint32_t head_dim = task.cache.head_dim();
  const uint32_t pages = (task.positions + page_positions - 1) / page_positions;
  const float* queries[Heads];
  float *weights[Heads], *moving[Heads], *out[Heads];
  for (int i = 0; i < Heads; ++i) {
    const uint32_t h =
        std::min(first_head + uint32_t(i), task.queries.rows - 1); // Repeats the last, harmlessly.
    queries[i] = task.queries.data + h * task.queries.stride;
    moving[i] = weights[i] = task.weights + uint64_t(first_head + i) * pages * page_positions;
    out[i] = task.out.data + h * task.out.stride;
  }
  for (uint32_t page = 0; page < pages; ++page) {
    score_page<Heads>(task.cache.keys(page), queries, head_dim, task.scale, moving);
    for (int i = 0; i < Heads; ++i) moving[i] += page_positions;
  }
  for (int i = 0; i < Heads; ++i) {
    const float sum = softmax(weights[i], task.positions);
    task.sums[std::min(first_head + uint32_t(i), task.queries.rows - 1)] = sum;
  }
  for (uint32_t first = 0; first < head_dim;) {
    const uint32_t left = (head_dim - first + 15) / 16, tail = (head_dim - 1) % 16 + 1;
    with_size<1, 2, 4>(left >= 4   ? 4
                       : left >= 2 ? 2
                                   : 1,
                       [&](auto vectors) {
                         sum_values<Heads, vectors>(task, weights, out, first,
                                                    left == uint32_t(vectors) ? tail : 16);
                         first += 16 * vectors;
                       });
  }
}

void attend(const attention_task& task) {
  constexpr uint32_t heads_most = attention_heads;
  for (uint32_t head = 0; head < task.queries.rows; head += heads_most)
    if constexpr (heads_most == 1)
      attend_heads<1>(task, head);
    else
      with_size<1, attention_heads>(task.queries.rows - head,
                                    [&](auto heads) { attend_heads<heads>(task, head); });
}

} // namespace troupe::TROUPE_ISA
