// The key/value cache, and checks and dispatch of attention; the arithmetic is in attention_kernels.hpp.
#include "model/kernels/attention.hpp"
#include "model/error.hpp"
#include "model/kernels/half.hpp"
#include "model/kernels/kernel_table.hpp"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>

namespace troupe {

kv_cache::kv_cache(uint32_t head_dim, cache_type type) : head_dim_(head_dim), type_(type) {}

uint64_t kv_cache::bytes() const { return pages_.size() * page_bytes(); }

/// Zeroed: kernels compute scores for whole pages, and drop those beyond the end. On a cache line, and a vector longer than
/// the page, see values().
kv_cache::page_memory kv_cache::new_page() const {
  constexpr uint64_t line = 64;
  const uint64_t size = (page_bytes() + line - 1) / line * line + line;
  page_memory page(static_cast<uint8_t*>(std::aligned_alloc(line, size)));
  if (!page) throw std::bad_alloc();
  std::memset(page.get(), 0, size);
  return page;
}

void kv_cache::write(uint32_t position, std::span<const float> key, std::span<const float> value) {
  TROUPE_ASSERT(position <= length_);
  TROUPE_ASSERT(key.size() == head_dim_);
  TROUPE_ASSERT(value.size() == head_dim_);
  const uint32_t page = position / page_positions, within = position % page_positions;
  if (page == pages_.size()) pages_.push_back(new_page());
  const auto fill = [&](auto* elements, auto convert) { // [64/16][head_dim][16], [64][head_dim]
    auto* keys_of_vector = elements + uint64_t(within / 16) * head_dim_ * 16;
    for (uint32_t d = 0; d < head_dim_; ++d) keys_of_vector[d * 16 + within % 16] = convert(key[d]);
    std::ranges::transform(value, elements + uint64_t(page_positions + within) * head_dim_, convert);
  };
  if (type_ == cache_type::f32)
    fill(reinterpret_cast<float*>(pages_[page].get()), [](float x) { return x; });
  else
    fill(reinterpret_cast<uint16_t*>(pages_[page].get()), half_of_float);
  length_ = std::max(length_, position + 1);
}

void attend(const kv_cache& cache, const_rows queries, visible_positions visible, float scale, mutable_rows out,
            std::span<float> sums, std::vector<float>& scratch) {
  TROUPE_ASSERT(cache.head_dim() > 0);
  TROUPE_ASSERT(queries.columns % cache.head_dim() == 0);
  TROUPE_ASSERT(out.columns == queries.columns);
  TROUPE_ASSERT(out.rows == queries.rows);
  const uint32_t heads = queries.columns / cache.head_dim();
  TROUPE_ASSERT(sums.size() == uint64_t(queries.rows) * heads);
  if (sums.empty()) return;
  const uint32_t positions = visible.of_row(queries.rows - 1);
  TROUPE_ASSERT(visible.first > 0);
  TROUPE_ASSERT(positions <= cache.length());
  constexpr uint64_t page = kv_cache::page_positions;
  constexpr uint64_t units_at_once = 4; // The most that a kernel takes.
  const uint64_t wanted = units_at_once * ((positions + page - 1) / page * page);
  if (scratch.size() < wanted) scratch.resize(wanted);
  current_kernels().attend({cache, queries, heads, visible, scale, out, scratch.data(), sums.data()});
}

float attend(const kv_cache& cache, std::span<const float> query, uint32_t positions, float scale,
             std::span<float> out, std::vector<float>& scratch) {
  const uint32_t columns = uint32_t(query.size());
  float sum = 0;
  attend(cache, const_rows{query.data(), 1, columns, columns}, positions, scale,
         mutable_rows{out.data(), 1, uint32_t(out.size()), columns}, {&sum, 1}, scratch);
  return sum;
}

void attend_reference(std::span<const float> keys, std::span<const float> values,
                      std::span<const float> query, float scale, std::span<float> out) {
  const size_t head_dim = query.size();
  TROUPE_ASSERT(head_dim > 0);
  TROUPE_ASSERT(keys.size() % head_dim == 0);
  TROUPE_ASSERT(values.size() == keys.size());
  TROUPE_ASSERT(out.size() == head_dim);
  const size_t positions = keys.size() / head_dim;
  std::vector<double> weights(positions);
  for (size_t p = 0; p < positions; ++p)
    for (size_t d = 0; d < head_dim; ++d)
      weights[p] += double(scale) * double(query[d]) * double(keys[p * head_dim + d]);
  const double top = *std::ranges::max_element(weights);
  double sum = 0;
  for (double& weight : weights) sum += weight = std::exp(weight - top);
  for (size_t d = 0; d < head_dim; ++d) {
    double total = 0;
    for (size_t p = 0; p < positions; ++p) total += weights[p] / sum * double(values[p * head_dim + d]);
    out[d] = float(total);
  }
}

} // namespace troupe
