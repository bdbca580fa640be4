#include "apps/service/tasks/images.hpp"

#include <array>
#include <optional>
#include <string_view>

namespace troupe::service {
namespace {

constexpr size_t images_max = 64;

/// RFC 4648, section 4, with or without the padding. Nothing: it is not that.
std::optional<std::vector<uint8_t>> from_base64(std::string_view text) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static const auto values = [&] {
    std::array<int8_t, 256> all;
    all.fill(-1);
    for (size_t i = 0; i < letters.size(); ++i) all[uint8_t(letters[i])] = int8_t(i);
    return all;
  }();
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::vector<uint8_t> bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  uint32_t bits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const int value = values[uint8_t(text[i])];
    if (value < 0) return std::nullopt;
    bits = bits << 6 | uint32_t(value);
    if (i % 4 > 0) bytes.push_back(uint8_t(bits >> (6 - 2 * (i % 4))));
  }
  return bytes;
}

std::vector<uint8_t> read_data_url(const json_node& node) {
  constexpr std::string_view begin = "data:", base64 = ";base64";
  const std::string_view url = node.text();
  const size_t comma = url.find(',');
  if (!url.starts_with(begin) || comma == std::string_view::npos || !url.substr(0, comma).ends_with(base64))
    node.fail("wanted an image as a data URL (data:image/png;base64,...); other URLs are not fetched");
  auto bytes = from_base64(url.substr(comma + 1));
  if (!bytes) node.fail("what follows the comma is not base64");
  return std::move(*bytes);
}

std::vector<uint8_t> read_one(const json_node& node) {
  if (node.is_text()) return read_data_url(node);
  if (!node.is_object()) node.fail_kind("an image: a data URL, or an object with image_url");
  const json_node url = node.get("image_url");
  return read_data_url(url.is_object() ? url.get("url") : url);
}

} // namespace

image_files read_images(const json_node& input) {
  image_files files;
  if (!input.is_array()) {
    files.push_back(read_one(input));
    return files;
  }
  if (input.size() == 0) input.fail("is empty");
  if (input.size() > images_max) input.fail("has " + std::to_string(input.size()) + " images; at most " + std::to_string(images_max));
  for (const auto& one : input.elements()) files.push_back(read_one(one));
  return files;
}

} // namespace troupe::service
