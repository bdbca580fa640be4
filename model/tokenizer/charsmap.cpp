#include "model/tokenizer/charsmap.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <cstring>

namespace troupe {

namespace {

constexpr size_t rule_bytes_max = 256; // Both sides; those of Unicode's forms have a tenth of it.
constexpr uint32_t is_value = uint32_t(1) << 31;

[[noreturn]] void refuse(const std::string& reason) { throw input_error("the precompiled charsmap " + reason); }

bool has_value(uint32_t unit) { return (unit >> 8 & 1) != 0; }
uint32_t label_of(uint32_t unit) { return unit & (is_value | 0xFF); }
uint32_t offset_of(uint32_t unit) { return (unit >> 10) << ((unit & uint32_t(1) << 9) >> 6); }

} // namespace

charsmap::charsmap(std::string_view map) {
  if (map.empty()) return;
  uint32_t bytes = 0;
  if (map.size() < sizeof bytes) refuse("has " + std::to_string(map.size()) + " bytes; wanted at least 4");
  std::memcpy(&bytes, map.data(), sizeof bytes);
  map.remove_prefix(sizeof bytes);
  if (bytes % sizeof(uint32_t) != 0 || bytes == 0 || bytes > map.size())
    refuse("says that its trie has " + std::to_string(bytes) + " bytes, but " + std::to_string(map.size()) + " follow");
  units_.resize(bytes / sizeof(uint32_t));
  std::memcpy(units_.data(), map.data(), bytes);
  contents_ = map.substr(bytes);
  if (contents_.empty() || contents_.back() != '\0') refuse("does not end with a zero byte");
  for (size_t begin = 0; begin < contents_.size();) {
    const size_t end = contents_.find('\0', begin);
    if (end - begin > rule_bytes_max)
      refuse("has a text of " + std::to_string(end - begin) + " bytes; " + std::to_string(rule_bytes_max) + " are supported");
    begin = end + 1;
  }
  for (const uint32_t unit : units_)
    if ((unit & is_value) != 0 && (unit & ~is_value) >= contents_.size())
      refuse("leads to byte " + std::to_string(unit & ~is_value) + " of its texts, which have " + std::to_string(contents_.size()));
}

template <class visit_function>
void charsmap::search(std::string_view text, const visit_function& visit) const {
  if (units_.empty()) return;
  size_t at = offset_of(units_[0]);
  for (size_t i = 0; i < std::min(text.size(), rule_bytes_max); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    at ^= byte;
    if (at >= units_.size() || label_of(units_[at]) != byte) return;
    const uint32_t unit = units_[at];
    at ^= offset_of(unit);
    if (!has_value(unit)) continue;
    if (at >= units_.size() || (units_[at] & is_value) == 0) return;
    if (!visit(match{i + 1, contents_.c_str() + (units_[at] & ~is_value)})) return;
  }
}

std::optional<charsmap::match> charsmap::longest(std::string_view text) const {
  std::optional<match> found;
  search(text, [&](const match& next) {
    found = next;
    return true;
  });
  return found;
}

std::optional<charsmap::match> charsmap::shortest(std::string_view text) const {
  std::optional<match> found;
  search(text, [&](const match& next) {
    found = next;
    return false;
  });
  return found;
}

} // namespace troupe
