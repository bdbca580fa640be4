#include "model/images/preparation.hpp"
#include "model/error.hpp"
#include "model/formats/json.hpp"
#include <algorithm>
#include <cmath>

namespace troupe {
namespace {

constexpr uint64_t config_bytes_max = 1 << 20, side_max = 1 << 14;

uint32_t side(const json_node& node) {
  const uint64_t value = node.natural(side_max);
  if (value == 0) node.fail_kind("at least 1");
  return uint32_t(value);
}

/// {"height": h, "width": w}, {"shortest_edge": n}, or n for both.
void read_size(const json_node& node, image_preparation& into) {
  into.resizes_to = image_preparation::target::exact;
  if (!node.is_object()) {
    into.width = into.height = side(node);
  } else if (const auto shortest = node.find("shortest_edge")) {
    node.require_only({"shortest_edge"});
    into.resizes_to = image_preparation::target::shortest_side;
    into.width = into.height = side(*shortest);
  } else {
    into.height = side(node.get("height"));
    into.width = side(node.get("width"));
  }
}

/// PIL's numbers.
resampling read_resampling(const json_node& node) {
  switch (node.natural()) {
  case 2: return resampling::bilinear;
  case 3: return resampling::bicubic;
  case 4: return resampling::box;
  default: node.fail("this resampling is not supported; supported are 2 (bilinear), 3 (bicubic) and 4 (box)");
  }
}

std::array<float, 3> read_channels(const json_node& node, bool may_be_zero) {
  std::array<float, 3> values;
  if (node.is_array() && node.size() != values.size()) node.fail_kind("three numbers");
  for (size_t i = 0; i < values.size(); ++i) {
    const json_node& one = node.is_array() ? node[i] : node;
    const double value = one.number();
    if (!(std::abs(value) <= 1e6) || (!may_be_zero && !(value >= 1e-6))) one.fail_kind(may_be_zero ? "a number" : "a positive number");
    values[i] = float(value);
  }
  return values;
}

void read_normalisation(const json_node& config, image_preparation& into) {
  if (!config.flag_or("do_normalize", true)) {
    into.mean.fill(0);
    into.deviation.fill(1);
    return;
  }
  if (const auto mean = config.find("image_mean")) into.mean = read_channels(*mean, true);
  if (const auto deviation = config.find("image_std")) into.deviation = read_channels(*deviation, false);
}

image_preparation read_preparation(const json_node& config, const image_spec& model) {
  auto result = usual_preparation(model);
  if (const auto pads = config.find("do_pad"); pads && pads->flag()) pads->fail("is not supported");
  if (!config.flag_or("do_resize", true)) result.resizes_to = image_preparation::target::none;
  else if (const auto size = config.find("size")) read_size(*size, result);
  if (const auto how = config.find("resample")) result.how = read_resampling(*how);
  result.crops = config.flag_or("do_center_crop", false);
  if (const auto size = config.find("crop_size"); result.crops && size) {
    image_preparation crop;
    read_size(*size, crop);
    if (crop.resizes_to != image_preparation::target::exact) size->fail_kind("height and width");
    result.crop_width = crop.width;
    result.crop_height = crop.height;
  }
  if (const auto factor = config.find("rescale_factor")) {
    result.factor = factor->number();
    if (!(result.factor > 0 && result.factor <= 1e6)) factor->fail_kind("a positive number");
  }
  if (!config.flag_or("do_rescale", true)) result.factor = 1;
  read_normalisation(config, result);
  return result;
}

std::string size_text(uint32_t width, uint32_t height) { return std::to_string(width) + " x " + std::to_string(height); }

rgb_image resized(const rgb_image& image, const image_preparation& how) {
  using target = image_preparation::target;
  if (how.resizes_to == target::none) return image;
  if (how.resizes_to == target::exact) return resize(image, how.width, how.height, how.how);
  const uint32_t shorter = std::min(image.width, image.height), longer = std::max(image.width, image.height);
  const uint64_t length = uint64_t(how.width) * longer / shorter;
  // A line of one pixel would become a plane without end.
  if (length > side_max) throw input_error("an image of " + size_text(image.width, image.height) + " pixels is too long");
  const bool is_wide = image.width > image.height;
  return resize(image, is_wide ? uint32_t(length) : how.width, is_wide ? how.width : uint32_t(length), how.how);
}

rgb_image cropped(const rgb_image& image, uint32_t width, uint32_t height) {
  if (image.width < width || image.height < height)
    throw input_error("the middle of " + size_text(width, height) + " pixels cannot be cut out of " + size_text(image.width, image.height));
  const uint32_t left = (image.width - width) / 2, top = (image.height - height) / 2;
  rgb_image result{width, height, {}};
  for (uint32_t y = 0; y < height; ++y) {
    const auto line = image.pixels.begin() + std::ptrdiff_t((size_t(top + y) * image.width + left) * 3);
    result.pixels.insert(result.pixels.end(), line, line + std::ptrdiff_t(width) * 3);
  }
  return result;
}

constexpr uint32_t channels = 3;

void require_model_size(uint32_t width, uint32_t height, const image_spec& model) {
  if (width != model.width || height != model.height)
    throw input_error("the image comes out as " + size_text(width, height) + " pixels, and the model takes " +
                      size_text(model.width, model.height) + "; positions are not interpolated");
}

} // namespace

image_preparation usual_preparation(const image_spec& model) {
  image_preparation result;
  result.width = result.crop_width = model.width;
  result.height = result.crop_height = model.height;
  return result;
}

image_preparation read_image_preparation(const std::filesystem::path& folder, const image_spec& model) {
  const auto path = folder / "preprocessor_config.json";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return usual_preparation(model);
  const json_file file(path, config_bytes_max);
  auto result = read_preparation(file.root(), model);
  try {
    if (result.crops) require_model_size(result.crop_width, result.crop_height, model);
    else if (result.resizes_to == image_preparation::target::exact) require_model_size(result.width, result.height, model);
  } catch (const input_error& error) {
    file.root().get(result.crops ? "crop_size" : "size").fail(error.what());
  }
  return result;
}

rgb_image fit_image(const rgb_image& image, const image_preparation& how, const image_spec& model) {
  if (model.channels != channels)
    throw input_error("the model takes images of " + std::to_string(model.channels) + " channels, and not of red, green and blue");
  rgb_image shaped = resized(image, how);
  if (how.crops) shaped = cropped(shaped, how.crop_width, how.crop_height);
  require_model_size(shaped.width, shaped.height, model);
  return shaped;
}

void write_pixels(std::span<const uint8_t> fitted, const image_preparation& how, std::span<float> out) {
  TROUPE_ASSERT(fitted.size() == out.size());
  // As transformers computes it: the product in float64, what follows in float32.
  const size_t plane = fitted.size() / channels;
  for (uint32_t c = 0; c < channels; ++c)
    for (size_t i = 0; i < plane; ++i)
      out[c * plane + i] = (float(fitted[i * channels + c] * how.factor) - how.mean[c]) / how.deviation[c];
}

std::vector<float> prepare_image(const rgb_image& image, const image_preparation& how, const image_spec& model) {
  const rgb_image fitted = fit_image(image, how, model);
  std::vector<float> values(fitted.pixels.size());
  write_pixels(fitted.pixels, how, values);
  return values;
}

} // namespace troupe
