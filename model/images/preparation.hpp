#pragma once
// From an image to what a model takes: preprocessor_config.json of a Hugging Face folder.
#include "model/images/resize.hpp"
#include "model/spec.hpp"
#include <array>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

namespace troupe {

/// In this order, as transformers' ViTImageProcessor: resize, cut out of the middle, multiply, (x - mean) / deviation. The defaults are
/// that class's own.
struct image_preparation {
  enum class target : uint8_t { none, exact, shortest_side };
  target resizes_to = target::exact;
  uint32_t width = 0, height = 0; // shortest_side: both are the length of that.
  resampling how = resampling::bilinear;
  bool crops = false;
  uint32_t crop_width = 0, crop_height = 0;
  double factor = 1.0 / 255; // 1: not multiplied.
  std::array<float, 3> mean{0.5f, 0.5f, 0.5f}, deviation{0.5f, 0.5f, 0.5f};
};

/// preprocessor_config.json of the folder; the defaults, at the model's size, where there is none. Throws input_error, naming the key, for
/// what is not supported: another resampling, an image that comes out of another size than the model's, channels other than three.
image_preparation read_image_preparation(const std::filesystem::path& folder, const image_spec& model);
/// What a model without a folder gets.
image_preparation usual_preparation(const image_spec& model);

/// Of the model's size, before its values become numbers: resized and cut out. Throws input_error for an image that does not come out at
/// the model's size, as where it is not resized, and for a model without three channels.
rgb_image fit_image(const rgb_image& image, const image_preparation& how, const image_spec& model);
/// [3, height, width]: what prepare_image makes of an image that fits. fitted: [height, width, 3].
void write_pixels(std::span<const uint8_t> fitted, const image_preparation& how, std::span<float> out);

/// Both: [3, height, width] of the model. Throws input_error as fit_image does.
std::vector<float> prepare_image(const rgb_image& image, const image_preparation& how, const image_spec& model);

} // namespace troupe
