#pragma once
// Scaled dot-product attention of one key/value head, over a cache of keys and values.
#include "model/kernels/rows.hpp"
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

namespace troupe {

/// What a key/value cache keeps. f16 takes half the memory and, where a context is long, half the time to read; keys and
/// values are rounded to it (half_of_float), once, when they are written. All arithmetic is float32 either way.
enum class cache_type : uint8_t { f32, f16 };
constexpr uint64_t bytes_of(cache_type type) { return type == cache_type::f32 ? 4 : 2; } // Of an element.

/// Memory for pages of key/value caches. What a cache gives back the next one takes, so the system is asked for it, and clears it, once: it
/// keeps as much as was ever in use at the same time. Not thread-safe: it belongs to whom its caches belong to.
class cache_pages {
public:
  explicit cache_pages(uint64_t bytes_each) : bytes_each_(bytes_each) {}
  cache_pages(const cache_pages&) = delete;
  cache_pages& operator=(const cache_pages&) = delete;
  ~cache_pages();
  uint64_t bytes_each() const { return bytes_each_; }
  size_t allocated() const { return taken_; } // Pages, in use or not.
  /// One page, on a line of the processor's caches: zeros, or what an earlier cache has left. Throws std::bad_alloc.
  uint8_t* take();
  void give_back(uint8_t* page) noexcept; // One that was taken.

private:
  uint64_t bytes_each_;
  size_t taken_ = 0; // Ever, from the system.
  std::vector<uint8_t*> free_; // Has room for all.
};

/// The keys and values of one sequence for one key/value head: positions [0, length), in pages of 64
/// positions, so that growing never copies. Within a page keys are stored so that a vector holds the same
/// element of 16 keys; values row by row. Not thread-safe: its attention head owns it.
class kv_cache {
public:
  static constexpr uint32_t page_positions = 64;
  /// keep_sums: the bits of every position's key and value are added up when they are written, for is_intact.
  /// pages: where its memory comes from, which the caches of one head share; null: its own.
  explicit kv_cache(uint32_t head_dim = 0, cache_type type = cache_type::f32, bool keep_sums = false,
                    std::shared_ptr<cache_pages> pages = nullptr);
  /// For many caches of this kind.
  static std::shared_ptr<cache_pages> make_pages(uint32_t head_dim, cache_type type);
  kv_cache(kv_cache&&) = default;
  kv_cache& operator=(kv_cache&&) = default;
  /// Another cache that holds the first `length` positions of this one. Pages are shared until one of the two writes to them:
  /// so both belong to the same thread or actor.
  kv_cache fork(uint32_t length) const;
  uint32_t length() const { return length_; }
  uint32_t head_dim() const { return head_dim_; }
  cache_type type() const { return type_; }
  uint64_t bytes() const;
  /// Forgets all positions, and keeps the memory for others.
  void clear() { length_ = 0; }

  /// Writes position `position` <= length(). Writing an old position again replaces it and keeps the length:
  /// the same tokens give the same bits, so a repeated write is harmless. key, value: [head_dim], key after
  /// RoPE.
  void write(uint32_t position, std::span<const float> key, std::span<const float> value);

  /// Fetches the memory that a write to `position` would change, if it has it already: a hint, for what comes a little later.
  void fetch_for_write(uint32_t position) const;

  /// Whether all positions are as they were written: finds every single wrong bit. Reads all of the cache. True where no
  /// sums are kept.
  bool is_intact() const;
  /// Flips one bit of what is held, the one that `draw` chooses, as a fault of the memory would; nothing when it is empty.
  void flip_bit(uint64_t draw);

  // For kernels: page p as keys [64/16][head_dim][16], then values [64][head_dim], in elements of type(). Reading a
  // vector of 16 elements that begins inside a page is allowed, whatever is behind its end.
  const uint8_t* keys(uint32_t page) const { return pages_[page].get(); }
  const uint8_t* values(uint32_t page) const { return pages_[page].get() + page_bytes() / 2; }

private:
  using page_memory = std::shared_ptr<uint8_t>;
  uint64_t page_bytes() const { return page_bytes(head_dim_, type_); }
  static uint64_t page_bytes(uint32_t head_dim, cache_type type) { return page_positions * 2 * uint64_t(head_dim) * bytes_of(type); }
  // Where element `d` of a position's key and value is in its page; `within`: the position's place there.
  uint64_t key_at(uint32_t within, uint32_t d) const { return (uint64_t(within / 16) * head_dim_ + d) * 16 + within % 16; }
  uint64_t value_at(uint32_t within, uint32_t d) const { return uint64_t(page_positions + within) * head_dim_ + d; }
  page_memory take_page(); // Of any content.
  template <class Element> uint32_t sum_of(const Element* elements, uint32_t within) const;
  void own_page(uint32_t page); // So that it may be written to.

  uint32_t head_dim_, length_ = 0;
  cache_type type_;
  bool keep_sums_;
  std::shared_ptr<cache_pages> memory_;
  std::vector<page_memory> pages_;
  std::vector<uint32_t> sums_; // Of each position; whole pages.
};

/// out = softmax(scale * q·Kᵀ + bias) V over the visible positions, at least 1 and at most cache.length(); "Attention Is All You
/// Need" §3.2.1, eq. 1. queries, out: [rows, heads * head_dim], any number of query heads that share the cache, side by
/// side. sums: [rows * heads], the sums of the normalised weights (1 within float32 rounding, unless something is broken),
/// which the caller may check. `scratch` is resized as needed: keep it between calls.
///
/// Scores are one lane each, summed along head_dim in order; the weights' sum runs over 16 fixed lanes; each output element
/// sums the positions in order: the result of a row and head does not depend on what else is computed, nor on later
/// positions in the cache. Several heads and rows pass over the cache together, so that it is read less often. next: the cache, of the
/// same type and head_dim, that is attended to after this one, or null; its memory is fetched meanwhile.
void attend(const kv_cache& cache, const_rows queries, visible_positions visible, float scale, mutable_rows out,
            std::span<float> sums, std::vector<float>& scratch, score_bias bias = {}, const kv_cache* next = nullptr);

/// The same for a single query: query, out: [head_dim]. Returns the sum of the weights.
float attend(const kv_cache& cache, std::span<const float> query, uint32_t positions, float scale,
             std::span<float> out, std::vector<float>& scratch);

/// The same from the formula in float64, for tests. keys, values: [positions * head_dim].
void attend_reference(std::span<const float> keys, std::span<const float> values,
                      std::span<const float> query, float scale, std::span<float> out);

} // namespace troupe
