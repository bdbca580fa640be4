// The key/value cache, and checks and dispatch of attention; the arithmetic is in attention_kernels.hpp.
#include "model/kernels/attention.hpp"
#include "model/error.hpp"
#include "model/kernels/half.hpp"
#include "model/kernels/kernel_table.hpp"
#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <numeric>

namespace troupe {

constexpr uint64_t line = 64; // Of a cache.

kv_cache::kv_cache(uint32_t head_dim, cache_type type, bool keep_sums)
    : head_dim_(head_dim), type_(type), keep_sums_(keep_sums) {}

uint64_t kv_cache::bytes() const { return pages_.size() * page_bytes(); }

/// On a cache line, and a vector longer than the page, see values().
uint64_t kv_cache::allocated_page_bytes() const { return (page_bytes() + line - 1) / line * line + line; }

kv_cache::page_memory kv_cache::allocate_page() const {
  page_memory page(static_cast<uint8_t*>(std::aligned_alloc(line, allocated_page_bytes())), std::free);
  if (!page) throw std::bad_alloc();
  return page;
}

void kv_cache::own_page(uint32_t page) {
  if (page < pages_.size()) {
    if (pages_[page].use_count() == 1) return;
    auto copy = allocate_page();
    std::memcpy(copy.get(), pages_[page].get(), allocated_page_bytes());
    pages_[page] = std::move(copy);
  } else {
    pages_.push_back(allocate_page());
    // Kernels compute scores for whole pages, and drop those beyond the end.
    std::memset(pages_.back().get(), 0, allocated_page_bytes());
  }
}

kv_cache kv_cache::fork(uint32_t length) const {
  TROUPE_ASSERT(length <= length_);
  kv_cache copy(head_dim_, type_, keep_sums_);
  const uint32_t pages = (length + page_positions - 1) / page_positions;
  copy.pages_.assign(pages_.begin(), pages_.begin() + pages);
  copy.length_ = length;
  if (keep_sums_) copy.sums_.assign(sums_.begin(), sums_.begin() + ptrdiff_t(pages * page_positions));
  return copy;
}

void kv_cache::write(uint32_t position, std::span<const float> key, std::span<const float> value) {
  TROUPE_ASSERT(position <= length_);
  TROUPE_ASSERT(key.size() == head_dim_);
  TROUPE_ASSERT(value.size() == head_dim_);
  const uint32_t page = position / page_positions, within = position % page_positions;
  own_page(page);
  uint32_t sum = 0;
  const auto fill = [&](auto* elements, auto convert) { // [64/16][head_dim][16], [64][head_dim]
    for (uint32_t d = 0; d < head_dim_; ++d) elements[key_at(within, d)] = convert(key[d]);
    for (uint32_t d = 0; d < head_dim_; ++d) elements[value_at(within, d)] = convert(value[d]);
    const auto in_words = [&](uint64_t i) { // What the element adds to the sum of the page's 32-bit words.
      if constexpr (sizeof elements[i] == 2) return uint32_t(elements[i]) << 16 * (i % 2);
      else return std::bit_cast<uint32_t>(elements[i]);
    };
    for (uint32_t d = 0; keep_sums_ && d < head_dim_; ++d) sum += in_words(key_at(within, d)) + in_words(value_at(within, d));
  };
  if (type_ == cache_type::f32)
    fill(reinterpret_cast<float*>(pages_[page].get()), [](float x) { return x; });
  else
    fill(reinterpret_cast<uint16_t*>(pages_[page].get()), half_of_float);
  length_ = std::max(length_, position + 1);
  if (!keep_sums_) return;
  sums_.resize(pages_.size() * page_positions);
  sums_[position] = sum;
}

bool kv_cache::is_intact() const {
  for (size_t page = 0; keep_sums_ && page < pages_.size(); ++page) {
    const auto first = sums_.begin() + ptrdiff_t(page * page_positions);
    const uint32_t wanted = std::accumulate(first, first + page_positions, uint32_t(0)); // Positions not yet written are 0.
    if (current_kernels().sum_words(pages_[page].get(), page_bytes()) != wanted) return false;
  }
  return true;
}

void kv_cache::flip_bit(uint64_t draw) {
  if (length_ == 0) return;
  const uint32_t position = uint32_t(draw % length_), page = position / page_positions, within = position % page_positions;
  draw /= length_;
  const uint64_t bits = bytes_of(type_) * 8, bit = draw % bits;
  const uint32_t element = uint32_t(draw / bits % (2 * head_dim_));
  const uint64_t at = element < head_dim_ ? key_at(within, element) : value_at(within, element - head_dim_);
  pages_[page].get()[at * bytes_of(type_) + bit / 8] ^= uint8_t(1u << bit % 8);
}

void attend(const kv_cache& cache, const_rows queries, visible_positions visible, float scale, mutable_rows out,
            std::span<float> sums, std::vector<float>& scratch, score_bias bias) {
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
  current_kernels().attend({cache, queries, heads, visible, scale, bias, out, scratch.data(), sums.data()});
}

float attend(const kv_cache& cache, std::span<const float> query, uint32_t positions, float scale,
             std::span<float> out, std::vector<float>& scratch) {
  const uint32_t columns = uint32_t(query.size());
  float sum = 0;
  attend(cache, const_rows{query.data(), 1, columns, columns}, positions, scale,
         mutable_rows{out.data(), 1, uint32_t(out.size()), columns}, {&sum, 1}, scratch);
  return sum;
}

} // namespace troupe
