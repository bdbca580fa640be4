#include "model/content_hash.hpp"
#include "model/formats/byte_reader.hpp"
#include <algorithm>
#include <bit>

namespace troupe {

namespace {

constexpr uint64_t factor = 0x9E3779B97F4A7C15; // Odd, so that multiplying loses nothing: the golden ratio.

uint64_t mix(uint64_t value) {
  value = (value ^ value >> 32) * factor;
  value = (value ^ value >> 29) * factor;
  return value ^ value >> 32;
}

} // namespace

void content_hash::add_block(const std::byte* block) {
  for (size_t i = 0; i < sums_.size(); ++i)
    sums_[i] = std::rotl((sums_[i] ^ load<uint64_t>(block + 8 * i)) * factor, 31);
}

void content_hash::add(std::span<const std::byte> bytes) {
  const size_t held = bytes_ % block_bytes;
  bytes_ += bytes.size();
  if (held > 0) {
    const size_t taken = std::min(block_bytes - held, bytes.size());
    std::copy_n(bytes.begin(), taken, rest_.begin() + static_cast<ptrdiff_t>(held));
    bytes = bytes.subspan(taken);
    if (held + taken < block_bytes) return;
    add_block(rest_.data());
  }
  for (; bytes.size() >= block_bytes; bytes = bytes.subspan(block_bytes)) add_block(bytes.data());
  std::copy(bytes.begin(), bytes.end(), rest_.begin());
}

void content_hash::add(uint64_t number) { add(std::as_bytes(std::span(&number, 1))); }

void content_hash::add(std::string_view text) {
  add(uint64_t(text.size()));
  add(std::as_bytes(std::span(text)));
}

uint64_t content_hash::value() const {
  content_hash last = *this;
  std::fill(last.rest_.begin() + static_cast<ptrdiff_t>(bytes_ % block_bytes), last.rest_.end(), std::byte(0));
  last.add_block(last.rest_.data());
  uint64_t result = mix(bytes_);
  for (const uint64_t sum : last.sums_) result = mix(result ^ sum);
  return result;
}

} // namespace troupe
