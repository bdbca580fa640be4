#include "model/formats/hf_source.hpp"
#include <algorithm>

namespace troupe {

hf_source::hf_source(const std::filesystem::path& path, std::string text)
    : text_(std::move(text)), config_(path, text_) {
  config_.root().members(); // Must be an object.
}

std::optional<json_node> hf_source::find(std::string_view key) const {
  json_node at = config();
  while (!key.empty()) {
    const size_t dot = std::min(key.find('.'), key.size());
    const auto inner = at.find(key.substr(0, dot));
    if (!inner) return std::nullopt;
    at = *inner;
    key.remove_prefix(std::min(dot + 1, key.size()));
    if (key.empty()) return at;
  }
  return std::nullopt;
}

std::optional<uint64_t> hf_source::find_unsigned(std::string_view key) const {
  const auto found = find(key);
  return found ? std::optional(found->natural()) : std::nullopt;
}

std::optional<double> hf_source::find_number(std::string_view key) const {
  const auto found = find(key);
  return found ? std::optional(found->number()) : std::nullopt;
}

std::optional<bool> hf_source::find_bool(std::string_view key) const {
  const auto found = find(key);
  return found ? std::optional(found->flag()) : std::nullopt;
}

std::optional<std::string_view> hf_source::find_string(std::string_view key) const {
  const auto found = find(key);
  return found ? std::optional<std::string_view>(found->text()) : std::nullopt;
}

} // namespace troupe
