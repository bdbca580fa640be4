#pragma once
// Scaled dot-product attention of one key/value head, over a cache of keys and values.
#include "model/kernels/matrix.hpp"
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace troupe {

/// The keys and values of one sequence for one key/value head: positions [0, length), in pages of 64
/// positions, so that growing never copies. Within a page keys are stored so that a vector holds the same
/// element of 16 keys; values row by row. float32. Not thread-safe: its attention head owns it.
class kv_cache {
public:
  static constexpr uint32_t page_positions = 64;
  /// keep_sums: the bits of every position's key and value are added up when they are written, for is_intact.
  explicit kv_cache(uint32_t head_dim = 0, bool keep_sums = false);
  uint32_t length() const { return length_; }
  uint32_t head_dim() const { return head_dim_; }
  uint64_t bytes() const;

  /// Writes position `position` <= length(). Writing an old position again replaces it and keeps the length:
  /// the same tokens give the same bits, so a repeated write is harmless. key, value: [head_dim], key after
  /// RoPE.
  void write(uint32_t position, std::span<const float> key, std::span<const float> value);

  /// Whether all positions are as they were written: finds every single wrong bit. Reads all of the cache. True where no
  /// sums are kept.
  bool is_intact() const;
  /// Flips one bit of what is held, the one that `draw` chooses, as a fault of the memory would; nothing when it is empty.
  void flip_bit(uint64_t draw);

  // For kernels: page p as keys [64/16][head_dim][16], then values [64][head_dim].
  const float* keys(uint32_t page) const { return pages_[page].get(); }
  const float* values(uint32_t page) const { return pages_[page].get() + page_positions * head_dim_; }

private:
  uint32_t head_dim_, length_ = 0;
  bool keep_sums_;
  std::vector<std::unique_ptr<float[]>> pages_;
  std::vector<uint32_t> sums_; // Of each position; whole pages.
};

/// out = softmax(scale * q·Kᵀ) V over positions [0, positions); "Attention Is All You Need" §3.2.1, eq. 1.
/// query, out: [head_dim]; 0 < positions <= cache.length(). Scores are one lane each, summed along head_dim
/// in order; the weights' sum runs over 16 fixed lanes; each output element sums the positions in order: the
/// result does not depend on what else is computed, nor on later positions in the cache. `scratch` is resized
/// as needed: keep it between calls. Returns the sum of the normalised weights (1 within float32 rounding,
/// unless something is broken), which the caller may check.
float attend(const kv_cache& cache, std::span<const float> query, uint32_t positions, float scale,
             std::span<float> out, std::vector<float>& scratch);

/// Several query heads that share the cache (grouped queries) at once: the cache is read once for every four
/// of them. Each has the same bits as alone. queries, out: [heads, head_dim]; sums: [heads], as returned
/// above.
void attend(const kv_cache& cache, const_rows queries, uint32_t positions, float scale, mutable_rows out,
            std::span<float> sums, std::vector<float>& scratch);

/// The same from the formula in float64, for tests. keys, values: [positions * head_dim].
void attend_reference(std::span<const float> keys, std::span<const float> values,
                      std::span<const float> query, float scale, std::span<float> out);

} // namespace troupe
