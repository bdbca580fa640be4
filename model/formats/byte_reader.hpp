#pragma once
// Walking through bytes that are not trusted, and naming what they hold in error texts.
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace troupe {

static_assert(std::endian::native == std::endian::little, "files are little-endian and read as they are");

/// a * b, or nothing when it does not fit.
inline std::optional<uint64_t> checked_product(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

/// A value of a plain type at the front of `bytes`, which must hold it.
template <class T>
T load(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

/// Reads front to back. Never reads beyond the end: every call says whether there was enough.
class byte_reader {
public:
  explicit byte_reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  uint64_t offset() const { return offset_; }
  uint64_t remaining() const { return bytes_.size() - offset_; }

  /// The next `count` bytes, or nothing when fewer are left.
  std::optional<std::span<const std::byte>> take(uint64_t count) {
    if (count > remaining()) return std::nullopt;
    const auto taken = bytes_.subspan(offset_, count);
    offset_ += count;
    return taken;
  }

  template <class T>
  std::optional<T> take() {
    const auto bytes = take(sizeof(T));
    if (!bytes) return std::nullopt;
    return load<T>(bytes->data());
  }

private:
  std::span<const std::byte> bytes_;
  uint64_t offset_ = 0;
};

/// `text` in quotes for an error message: bytes that are not printable ASCII as \xNN, and cut when long.
inline std::string in_quotes(std::string_view text) {
  constexpr size_t longest = 80;
  constexpr char digits[] = "0123456789abcdef";
  std::string result = "\"";
  for (const char c : text.substr(0, longest)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
      result += c;
    } else {
      result += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    }
  }
  return result + (text.size() > longest ? "...\"" : "\"");
}

} // namespace troupe
