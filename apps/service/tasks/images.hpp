#pragma once
// Images in requests.
#include "model/formats/json.hpp"
#include "model/images/image.hpp"
#include <cstdint>
#include <vector>

namespace troupe::service {

/// Files as they came, not decoded yet.
using image_files = std::vector<std::vector<uint8_t>>;

/// `input` of a request to a model of images: one image or a list of them, each a data URL ("data:image/png;base64,..."), or OpenAI's part
/// of a message that holds one: {"type": "image_url", "image_url": {"url": ...}} or {"image_url": "..."}. Throws json_error for anything
/// else; URLs are not fetched.
image_files read_images(const json_node& input);

/// Of an image in a request: with three times its pixels on the way, and 16 requests at once, 2.3 GB.
constexpr image_limits request_image_limits{.pixels_max = 16 << 20, .side_max = 16'384, .file_bytes_max = 16 << 20};

} // namespace troupe::service
