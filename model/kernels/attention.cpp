// The key/value cache, and checks and dispatch of attention; the arithmetic is in attention_kernels.hpp.
#include "model/kernels/attention.hpp"
#include "model/error.hpp"
#include "model/kernels/kernel_table.hpp"
#include "model/kernels/rowwise.hpp"
#include <algorithm>
#include <bit>
#include <numeric>

namespace troupe {

kv_cache::kv_cache(uint32_t head_dim, bool keep_sums) : head_dim_(head_dim), keep_sums_(keep_sums) {}

uint64_t kv_cache::bytes() const { return pages_.size() * page_positions * 2 * head_dim_ * sizeof(float); }

void kv_cache::write(uint32_t position, std::span<const float> key, std::span<const float> value) {
  TROUPE_ASSERT(position <= length_);
  TROUPE_ASSERT(key.size() == head_dim_);
  TROUPE_ASSERT(value.size() == head_dim_);
  const uint32_t page = position / page_positions, within = position % page_positions;
  if (page == pages_.size()) // Zeroed: kernels compute scores for whole pages, and drop those beyond the end.
    pages_.push_back(std::make_unique<float[]>(uint64_t(page_positions) * 2 * head_dim_));
  float* keys_of_vector = pages_[page].get() + uint64_t(within / 16) * head_dim_ * 16;
  for (uint32_t d = 0; d < head_dim_; ++d) keys_of_vector[d * 16 + within % 16] = key[d];
  std::ranges::copy(value, pages_[page].get() + uint64_t(page_positions + within) * head_dim_);
  length_ = std::max(length_, position + 1);
  if (!keep_sums_) return;
  sums_.resize(pages_.size() * page_positions);
  sums_[position] = sum_of_bits(key) + sum_of_bits(value);
}

bool kv_cache::is_intact() const {
  for (size_t page = 0; keep_sums_ && page < pages_.size(); ++page) {
    const auto first = sums_.begin() + ptrdiff_t(page * page_positions);
    const uint32_t wanted = std::accumulate(first, first + page_positions, uint32_t(0)); // Positions not yet written are 0.
    if (sum_of_bits({pages_[page].get(), size_t(page_positions) * 2 * head_dim_}) != wanted) return false;
  }
  return true;
}

void kv_cache::flip_bit(uint64_t draw) {
  if (length_ == 0) return;
  const uint32_t position = uint32_t(draw % length_), page = position / page_positions, within = position % page_positions;
  draw /= length_;
  const uint32_t bit = uint32_t(draw % 32), element = uint32_t(draw / 32 % (2 * head_dim_));
  const uint64_t key_at = (uint64_t(within / 16) * head_dim_ + element) * 16 + within % 16;
  const uint64_t value_at = uint64_t(page_positions + within) * head_dim_ + (element - head_dim_);
  float& struck = pages_[page][element < head_dim_ ? key_at : value_at];
  struck = std::bit_cast<float>(std::bit_cast<uint32_t>(struck) ^ (1u << bit));
}

void attend(const kv_cache& cache, const_rows queries, uint32_t positions, float scale, mutable_rows out,
            std::span<float> sums, std::vector<float>& scratch) {
  TROUPE_ASSERT(positions > 0);
  TROUPE_ASSERT(positions <= cache.length());
  TROUPE_ASSERT(cache.head_dim() > 0);
  TROUPE_ASSERT(queries.columns == cache.head_dim());
  TROUPE_ASSERT(out.columns == cache.head_dim());
  TROUPE_ASSERT(out.rows == queries.rows);
  TROUPE_ASSERT(sums.size() == queries.rows);
  constexpr uint64_t page = kv_cache::page_positions;
  constexpr uint64_t heads_at_once = 4; // The most that a kernel takes: it may repeat the last one.
  const uint64_t heads = (queries.rows + heads_at_once - 1) / heads_at_once * heads_at_once;
  const uint64_t wanted = heads * ((positions + page - 1) / page * page);
  if (scratch.size() < wanted) scratch.resize(wanted);
  current_kernels().attend({cache, queries, positions, scale, out, scratch.data(), sums.data()});
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
