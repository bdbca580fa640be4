#pragma once
// Images as they come from files that are not trusted.
#include <cstdint>
#include <vector>

namespace troupe {

/// Colours of 8 bits: [height, width, 3], red, green, blue.
struct rgb_image {
  uint32_t width = 0, height = 0;
  std::vector<uint8_t> pixels;
};

/// What may be asked of memory and time before anything of an image is known.
struct image_limits {
  uint64_t pixels_max = 64 << 20; // 64 Mi: 192 MiB as rgb_image. Up to three times that is used on the way.
  uint32_t side_max = 65'535;     // As JPEG has it.
  uint64_t file_bytes_max = 256 << 20;
};

} // namespace troupe
