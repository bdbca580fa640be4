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

cache_pages::~cache_pages() {
  for (uint8_t* page : free_) std::free(page);
}

uint8_t* cache_pages::take() {
  if (!free_.empty()) {
    uint8_t* page = free_.back();
    free_.pop_back();
    return page;
  }
  if (free_.capacity() <= taken_) free_.reserve(2 * taken_ + 1); // So that none is lost when it is given back.
  auto* page = static_cast<uint8_t*>(std::aligned_alloc(line, bytes_each_));
  if (page == nullptr) throw std::bad_alloc();
  ++taken_;
  // Kernels compute a few scores more than there are positions, and drop them.
  std::memset(page, 0, bytes_each_);
  return page;
}

void cache_pages::give_back(uint8_t* page) noexcept { free_.push_back(page); }

kv_cache::kv_cache(uint32_t head_dim, cache_type type, bool keep_sums, std::shared_ptr<cache_pages> pages)
    : head_dim_(head_dim), type_(type), keep_sums_(keep_sums), memory_(std::move(pages)) {}

uint64_t kv_cache::bytes() const { return pages_.size() * page_bytes(); }

/// A vector longer than the page, see values().
std::shared_ptr<cache_pages> kv_cache::make_pages(uint32_t head_dim, cache_type type) {
  return std::make_shared<cache_pages>((page_bytes(head_dim, type) + line - 1) / line * line + line);
}

kv_cache::page_memory kv_cache::take_page() {
  if (!memory_) memory_ = make_pages(head_dim_, type_);
  TROUPE_ASSERT(memory_->bytes_each() > page_bytes());
  return {memory_->take(), [memory = memory_](uint8_t* page) { memory->give_back(page); }};
}

void kv_cache::own_page(uint32_t page) {
  if (page < pages_.size()) {
    if (pages_[page].use_count() == 1) return;
    auto copy = take_page();
    std::memcpy(copy.get(), pages_[page].get(), page_bytes());
    pages_[page] = std::move(copy);
  } else {
    pages_.push_back(take_page());
    if (keep_sums_) std::memset(pages_.back().get(), 0, page_bytes()); // What is not yet written adds nothing to a page's sum.
  }
}

void kv_cache::fetch_for_write(uint32_t position) const {
  const uint32_t page = position / page_positions, within = position % page_positions;
  if (page >= pages_.size()) return;
  const uint64_t element = bytes_of(type_);
  const auto fetch = [&](uint64_t from, uint64_t to) {
    for (uint64_t at = from * element; at < to * element; at += line) __builtin_prefetch(pages_[page].get() + at, 1, 3);
  };
  fetch(key_at(within / 16 * 16, 0), key_at(within / 16 * 16, head_dim_));
  fetch(value_at(within, 0), value_at(within, head_dim_));
}

kv_cache kv_cache::fork(uint32_t length) const {
  TROUPE_ASSERT(length <= length_);
  kv_cache copy(head_dim_, type_, keep_sums_, memory_);
  const uint32_t pages = (length + page_positions - 1) / page_positions;
  copy.pages_.assign(pages_.begin(), pages_.begin() + pages);
  copy.length_ = length;
  if (keep_sums_) copy.sums_.assign(sums_.begin(), sums_.begin() + ptrdiff_t(pages * page_positions));
  return copy;
}

/// What a position's key and value add to the sum of the page's 32-bit words.
template <class Element> uint32_t kv_cache::sum_of(const Element* elements, uint32_t within) const {
  const auto in_words = [&](uint64_t i) {
    if constexpr (sizeof(Element) == 2) return uint32_t(elements[i]) << 16 * (i % 2);
    else return std::bit_cast<uint32_t>(elements[i]);
  };
  uint32_t sum = 0;
  for (uint32_t d = 0; d < head_dim_; ++d) sum += in_words(key_at(within, d)) + in_words(value_at(within, d));
  return sum;
}

void kv_cache::write(uint32_t position, std::span<const float> key, std::span<const float> value) {
  TROUPE_ASSERT(position <= length_);
  TROUPE_ASSERT(key.size() == head_dim_);
  TROUPE_ASSERT(value.size() == head_dim_);
  const uint32_t page = position / page_positions, within = position % page_positions;
  own_page(page);
  uint8_t* const bytes = pages_[page].get();
  const auto put = [&](auto* elements, uint32_t first, const auto* some_key, const auto* some_value, uint32_t count) {
    for (uint32_t d = 0; d < count; ++d) elements[key_at(within, first + d)] = some_key[d];
    std::copy_n(some_value, count, elements + value_at(within, first));
  };
  if (type_ == cache_type::f32) {
    put(reinterpret_cast<float*>(bytes), 0, key.data(), value.data(), head_dim_);
  } else {
    constexpr uint32_t at_once = 128;
    uint16_t some_key[at_once], some_value[at_once];
    for (uint32_t first = 0; first < head_dim_; first += at_once) {
      const uint32_t count = std::min(at_once, head_dim_ - first);
      current_kernels().to_halves(key.data() + first, some_key, count);
      current_kernels().to_halves(value.data() + first, some_value, count);
      put(reinterpret_cast<uint16_t*>(bytes), first, some_key, some_value, count);
    }
  }
  length_ = std::max(length_, position + 1);
  if (!keep_sums_) return;
  sums_.resize(pages_.size() * page_positions);
  sums_[position] = type_ == cache_type::f32 ? sum_of(reinterpret_cast<const float*>(bytes), within)
                                             : sum_of(reinterpret_cast<const uint16_t*>(bytes), within);
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
            std::span<float> sums, std::vector<float>& scratch, score_bias bias, const kv_cache* next) {
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
  TROUPE_ASSERT(next == nullptr || (next->head_dim() == cache.head_dim() && next->type() == cache.type()));
  constexpr uint64_t page = kv_cache::page_positions;
  constexpr uint64_t units_at_once = 4; // The most that a kernel takes.
  const uint64_t wanted = units_at_once * ((positions + page - 1) / page * page);
  if (scratch.size() < wanted) scratch.resize(wanted);
  current_kernels().attend({cache, queries, heads, visible, scale, bias, out, next, scratch.data(), sums.data()});
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
