#include "model/images/read_image.hpp"
#include "model/error.hpp"
#include "model/formats/input_file.hpp"
#include "model/images/formats.hpp"
#include <algorithm>
#include <array>

namespace troupe {
namespace {

bool begins_with(std::span<const uint8_t> file, std::span<const uint8_t> magic) {
  return file.size() >= magic.size() && std::ranges::equal(file.first(magic.size()), magic);
}

decoded_image decode(std::span<const uint8_t> file, const image_limits& limits) {
  constexpr std::array<uint8_t, 8> png{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  constexpr std::array<uint8_t, 3> jpeg{0xff, 0xd8, 0xff};
  if (begins_with(file, png)) return decode_png(file, limits);
  if (begins_with(file, jpeg)) return decode_jpeg(file, limits);
  throw input_error(file.empty() ? "the file is empty" : "is no image that can be read: wanted a PNG or a JPEG");
}

} // namespace

void require_size(uint64_t width, uint64_t height, const image_limits& limits) {
  const std::string size = std::to_string(width) + " x " + std::to_string(height);
  if (width == 0 || height == 0) throw input_error("an image of " + size + " pixels is empty");
  if (width > limits.side_max || height > limits.side_max || width * height > limits.pixels_max)
    throw input_error("an image of " + size + " pixels is too large: at most " + std::to_string(limits.pixels_max) + " pixels, " +
                      std::to_string(limits.side_max) + " on a side");
}

rgb_image read_image(std::span<const uint8_t> file, std::string_view name, const image_limits& limits) {
  try {
    auto [image, orientation] = decode(file, limits);
    return turned(std::move(image), orientation);
  } catch (const input_error& error) {
    throw input_error(std::string(name) + ": " + error.what());
  }
}

rgb_image read_image(const std::filesystem::path& path, const image_limits& limits) {
  const input_file file(path);
  if (file.size() > limits.file_bytes_max)
    throw input_error(path.string() + ": has " + std::to_string(file.size()) + " bytes; at most " + std::to_string(limits.file_bytes_max) +
                      " are read of an image");
  std::vector<uint8_t> bytes(file.size());
  file.read(0, std::as_writable_bytes(std::span(bytes)));
  return read_image(bytes, path.string(), limits);
}

} // namespace troupe
