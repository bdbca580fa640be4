#pragma once
// The formats of images, one file each. What they throw does not name the file: read_image does.
#include "model/images/image.hpp"
#include <span>

namespace troupe {

/// Before it is turned: the orientation is EXIF's, from 1 (as it is) to 8.
struct decoded_image {
  rgb_image image;
  uint32_t orientation = 1;
};

decoded_image decode_png(std::span<const uint8_t> file, const image_limits& limits);
decoded_image decode_jpeg(std::span<const uint8_t> file, const image_limits& limits);

/// Throws input_error for an image that is empty or too large.
void require_size(uint64_t width, uint64_t height, const image_limits& limits);

/// The orientation in EXIF data, which begin with a TIFF header. 1 where there is none, or none that makes sense.
uint32_t orientation_in(std::span<const uint8_t> exif);
/// The image as it is to be seen.
rgb_image turned(rgb_image image, uint32_t orientation);

} // namespace troupe
