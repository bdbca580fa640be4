// Claims: PNGs and JPEGs of all kinds are read as they are meant; whatever else a file holds ends in one input_error that names it, and
// nothing is allocated for a size that is not allowed.
#include "model/images/read_image.hpp"
#include "model/error.hpp"
#include "model/testing/image_files.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"
#include <algorithm>
#include <cstdlib>
#include <fstream>

using namespace troupe;
using namespace troupe::testing;

namespace {

std::string refusal_of(std::span<const uint8_t> file, const image_limits& limits = {}) {
  try {
    read_image(file, "a file", limits);
  } catch (const input_error& error) {
    return error.what();
  }
  return "";
}

bool is_same(const rgb_image& a, const rgb_image& b) { return a.width == b.width && a.height == b.height && a.pixels == b.pixels; }

/// The largest difference of two numbers.
int distance(const rgb_image& a, const rgb_image& b) {
  REQUIRE(a.pixels.size() == b.pixels.size());
  int most = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) most = std::max(most, std::abs(int(a.pixels[i]) - int(b.pixels[i])));
  return most;
}

/// Smooth, so that a JPEG holds it well.
rgb_image smooth_image(uint32_t width, uint32_t height) {
  rgb_image image{width, height, {}};
  for (uint32_t y = 0; y < height; ++y)
    for (uint32_t x = 0; x < width; ++x)
      for (const uint32_t value : {x * 200 / width, y * 200 / height, 255 - (x + y) * 200 / (width + height)})
        image.pixels.push_back(uint8_t(value));
  return image;
}

} // namespace

TEST_CASE("a PNG has the pixels that were put into it, interlaced or not") {
  const auto image = made_up_image(37, 21);
  CHECK(is_same(read_image(png_file(image), ""), image));
  const auto fill = [&](uint32_t y, std::span<uint8_t> row) {
    std::copy_n(image.pixels.begin() + std::ptrdiff_t(y * row.size()), row.size(), row.begin());
  };
  CHECK(is_same(read_image(png_file(37, 21, 8, png_colours::rgb, fill, true), ""), image));
}

TEST_CASE("greys of any depth, 16 bits and alpha become colours of 8 bits") {
  for (const int depth : {1, 2, 4, 8}) {
    const uint32_t most = (1u << depth) - 1;
    const auto image = read_image(png_file(8, 1, depth, png_colours::grey,
                                           [&](uint32_t, std::span<uint8_t> row) {
                                             std::ranges::fill(row, uint8_t(0));
                                             for (uint32_t x = 0; x < 8; ++x)
                                               row[x * uint32_t(depth) / 8] |= uint8_t((x & most) << (8 - depth - int(x) * depth % 8));
                                           }),
                                  "");
    for (uint32_t x = 0; x < 8; ++x)
      for (uint32_t c = 0; c < 3; ++c) CHECK(image.pixels[x * 3 + c] == (x & most) * 255 / most);
  }
  const auto wide = read_image(png_file(1, 1, 16, png_colours::rgb_alpha,
                                        [](uint32_t, std::span<uint8_t> row) {
                                          const uint8_t values[]{10, 255, 20, 0, 30, 128, 0, 7};
                                          std::ranges::copy(values, row.begin());
                                        }),
                               "");
  CHECK(wide.pixels == std::vector<uint8_t>{10, 20, 30});
  const auto grey = read_image(png_file(1, 1, 8, png_colours::grey_alpha,
                                        [](uint32_t, std::span<uint8_t> row) { row[0] = 77, row[1] = 3; }),
                               "");
  CHECK(grey.pixels == std::vector<uint8_t>{77, 77, 77});
}

TEST_CASE("a JPEG, progressive or not, is nearly what was put into it, and turned as its EXIF data say") {
  const auto image = smooth_image(40, 24);
  const auto plain = read_image(jpeg_file(image), "");
  CHECK(distance(plain, image) < 12);
  CHECK(distance(read_image(jpeg_file(image, {.progressive = true}), ""), image) < 12);
  for (uint32_t orientation = 1; orientation <= 8; ++orientation) {
    INFO("orientation " << orientation);
    const auto seen = read_image(jpeg_file(image, {.orientation = orientation}), "");
    const bool swaps = orientation >= 5;
    REQUIRE(seen.width == (swaps ? 24u : 40u));
    // Where the stored corner at the top left is to be seen: EXIF's table of rows and columns.
    const bool is_right = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
    const bool is_below = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
    const uint32_t x = is_right ? seen.width - 1 : 0, y = is_below ? seen.height - 1 : 0;
    for (uint32_t c = 0; c < 3; ++c) CHECK(seen.pixels[(y * seen.width + x) * 3 + c] == plain.pixels[c]);
    // And the stored corner at the top right.
    const uint32_t x2 = swaps ? x : seen.width - 1 - x, y2 = swaps ? seen.height - 1 - y : y;
    for (uint32_t c = 0; c < 3; ++c) CHECK(seen.pixels[(y2 * seen.width + x2) * 3 + c] == plain.pixels[39 * 3 + c]);
  }
}

TEST_CASE("an image of one pixel is read") {
  const rgb_image image{1, 1, {1, 2, 3}};
  CHECK(is_same(read_image(png_file(image), ""), image));
  CHECK(read_image(jpeg_file(image), "").pixels.size() == 3);
}

TEST_CASE("what is no image, or cut short anywhere, ends in one error that names the file") {
  CHECK(refusal_of({}) == "a file: the file is empty");
  const std::string text = "GIF89a, say";
  CHECK(refusal_of({reinterpret_cast<const uint8_t*>(text.data()), text.size()}) ==
        "a file: is no image that can be read: wanted a PNG or a JPEG");
  const auto image = made_up_image(50, 40);
  for (const auto& whole : {png_file(image), jpeg_file(image), jpeg_file(image, {.progressive = true})}) {
    REQUIRE(refusal_of(whole).empty());
    for (size_t length = 0; length < whole.size(); length += length < 1000 ? 7 : 211) {
      INFO("the first " << length << " bytes of " << whole.size());
      CHECK(refusal_of(std::span(whole).first(length)).starts_with("a file: "));
    }
    CHECK_FALSE(refusal_of(std::span(whole).first(whole.size() - 1)).empty());
  }
}

TEST_CASE("a damaged image gives an error or an image of its size") {
  const auto image = made_up_image(24, 16);
  uint32_t refused = 0, read = 0;
  for (const auto& whole : {png_file(image), jpeg_file(image), jpeg_file(image, {.progressive = true, .orientation = 6})}) {
    raw_bits bits{7};
    for (int i = 0; i < 3000; ++i) {
      auto file = whole;
      for (uint64_t flips = 1 + bits.below(3); flips > 0; --flips) file[bits.below(file.size())] ^= uint8_t(1 << bits.below(8));
      try {
        const auto found = read_image(file, "a file", {.pixels_max = 1 << 16});
        CHECK(found.pixels.size() == size_t(found.width) * found.height * 3);
        ++read;
      } catch (const input_error&) {
        ++refused;
      }
    }
  }
  CHECK(refused > 1000);
  CHECK(read > 100);
}

TEST_CASE("an image of 200 megapixels is refused before it is decoded") {
  // Rows of zeros take next to nothing in a file.
  const auto huge = png_file(20'000, 10'000, 1, png_colours::grey, [](uint32_t, std::span<uint8_t> row) { std::ranges::fill(row, uint8_t(0)); });
  CHECK(huge.size() < 200'000);
  CHECK(refusal_of(huge) ==
        "a file: an image of 20000 x 10000 pixels is too large: at most 67108864 pixels, 65535 on a side");
  auto jpeg = jpeg_file(made_up_image(16, 16));
  // The frame's header: its marker, length and depth, then height and width.
  for (size_t i = 0; i + 9 < jpeg.size(); ++i)
    if (jpeg[i] == 0xff && jpeg[i + 1] == 0xc0) {
      for (const size_t at : {i + 5, i + 7}) jpeg[at] = 0xea, jpeg[at + 1] = 0x60; // 60,000
      break;
    }
  CHECK(refusal_of(jpeg).starts_with("a file: an image of 60000 x 60000 pixels is too large"));
  CHECK(refusal_of(png_file(made_up_image(11, 10)), {.pixels_max = 109}).find("is too large") != std::string::npos);
  CHECK(refusal_of(png_file(made_up_image(11, 10)), {.pixels_max = 110}).empty());
}

TEST_CASE("a file of an image that is missing or too long is an error that names it") {
  const std::filesystem::path path = temporary_path(".png");
  CHECK_THROWS_AS(read_image(path), input_error);
  const auto bytes = png_file(made_up_image(3, 2));
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
  CHECK(read_image(path).width == 3);
  CHECK_THROWS_WITH(read_image(path, {.file_bytes_max = 10}), Catch::Matchers::StartsWith(path.string() + ": has "));
}
