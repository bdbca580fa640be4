#pragma once
// Images as they come from files that are not trusted.
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
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

/// Reads a PNG or a JPEG; which of them, its first bytes say. Results are those of PIL's exif_transpose(image).convert("RGB"): alpha is
/// dropped, of 16 bits the upper 8 count, greys and palettes become colours, no colour profile or gamma is applied, and the image is
/// turned as its EXIF orientation says. name: for errors. Throws input_error: it is neither, is damaged or cut short, is larger than
/// allowed, or has colours that are not supported (JPEGs in CMYK).
rgb_image read_image(std::span<const uint8_t> file, std::string_view name, const image_limits& limits = {});
/// The same of a file.
rgb_image read_image(const std::filesystem::path& path, const image_limits& limits = {});

} // namespace troupe
