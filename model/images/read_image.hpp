#pragma once
#include "model/images/image.hpp"
#include <filesystem>
#include <span>
#include <string_view>

namespace troupe {

/// Reads a PNG or a JPEG; which of them, its first bytes say. Results are those of PIL's exif_transpose(image).convert("RGB"): alpha is
/// dropped, of 16 bits the upper 8 count, greys and palettes become colours, no colour profile or gamma is applied, and the image is
/// turned as its EXIF orientation says. name: for errors. Throws input_error: it is neither, is damaged or cut short, is larger than
/// allowed, or has colours that are not supported (JPEGs in CMYK).
rgb_image read_image(std::span<const uint8_t> file, std::string_view name, const image_limits& limits = {});
/// The same of a file.
rgb_image read_image(const std::filesystem::path& path, const image_limits& limits = {});

} // namespace troupe
