#pragma once
// Image files for tests, made up on the spot.
#include "model/images/image.hpp"
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace troupe::testing {

/// Colours that vary in both directions, and with the seed.
rgb_image made_up_image(uint32_t width, uint32_t height, uint64_t seed = 1);

/// The kinds of colours of a PNG, by its own numbers; no palette.
enum class png_colours : uint8_t { grey = 0, rgb = 2, grey_alpha = 4, rgb_alpha = 6 };

/// depth: bits of a channel. fill: writes row y as PNG lays it out, numbers of 16 bits with the upper byte first.
std::vector<uint8_t> png_file(uint32_t width, uint32_t height, int depth, png_colours colours,
                              const std::function<void(uint32_t y, std::span<uint8_t> row)>& fill, bool interlaced = false);
std::vector<uint8_t> png_file(const rgb_image& image);

struct jpeg_options {
  int quality = 95;
  bool progressive = false;
  uint32_t orientation = 1; // EXIF's; 1: no EXIF data.
};
std::vector<uint8_t> jpeg_file(const rgb_image& image, const jpeg_options& options = {});

} // namespace troupe::testing
