#pragma once
#include "model/images/image.hpp"

namespace troupe {

/// Weights of the pixels around a place, by their distance in pixels of the smaller of the two sizes: so an image that is made smaller is
/// averaged over all it had (antialiasing). bilinear: 1 - |x| up to 1. bicubic: Keys 1981 with a = -1/2, up to 2. box: 1 up to 1/2.
enum class resampling : uint8_t { box, bilinear, bicubic };

/// To another size, first each row, then each column, in between rounded to 8 bits: the same bytes as PIL's Image.resize, whose weights
/// are integers with 22 bits behind the point. Sizes are at least 1.
rgb_image resize(const rgb_image& image, uint32_t width, uint32_t height, resampling how);

} // namespace troupe
