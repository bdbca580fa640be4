#include "model/testing/image_files.hpp"
#include "model/error.hpp"
#include "model/testing/tiny_model.hpp"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <jpeglib.h>
#include <png.h>

namespace troupe::testing {

rgb_image made_up_image(uint32_t width, uint32_t height, uint64_t seed) {
  rgb_image image{width, height, {}};
  raw_bits bits{seed};
  const auto across = uint32_t(1 + bits.below(9)), down = uint32_t(1 + bits.below(9));
  for (uint32_t y = 0; y < height; ++y)
    for (uint32_t x = 0; x < width; ++x) {
      image.pixels.push_back(uint8_t(x * across + y * down));
      image.pixels.push_back(uint8_t(x * x / (y + 1) + seed));
      image.pixels.push_back(uint8_t(bits.below(256)));
    }
  return image;
}

// Errors of libpng and libjpeg end the test program, as their default is.

std::vector<uint8_t> png_file(uint32_t width, uint32_t height, int depth, png_colours colours,
                              const std::function<void(uint32_t y, std::span<uint8_t> row)>& fill, bool interlaced) {
  std::vector<uint8_t> file;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &file,
      [](png_structp to, png_bytep bytes, size_t count) {
        auto& all = *static_cast<std::vector<uint8_t>*>(png_get_io_ptr(to));
        all.insert(all.end(), bytes, bytes + count);
      },
      [](png_structp) {});
  png_set_IHDR(png, info, width, height, depth, int(colours), interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  std::vector<uint8_t> row(png_get_rowbytes(png, info));
  for (int pass = png_set_interlace_handling(png); pass > 0; --pass)
    for (uint32_t y = 0; y < height; ++y) {
      fill(y, row);
      png_write_row(png, row.data());
    }
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  return file;
}

std::vector<uint8_t> png_file(const rgb_image& image) {
  return png_file(image.width, image.height, 8, png_colours::rgb, [&](uint32_t y, std::span<uint8_t> row) {
    std::copy_n(image.pixels.begin() + std::ptrdiff_t(size_t(y) * row.size()), row.size(), row.begin());
  });
}

std::vector<uint8_t> jpeg_file(const rgb_image& image, const jpeg_options& options) {
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* bytes = nullptr;
  unsigned long count = 0;
  jpeg_mem_dest(&jpeg, &bytes, &count);
  jpeg.image_width = image.width;
  jpeg.image_height = image.height;
  jpeg.input_components = 3;
  jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, options.quality, TRUE);
  if (options.progressive) jpeg_simple_progression(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  if (options.orientation != 1) {
    // A big-endian TIFF structure with one entry: the orientation, one number of 16 bits.
    const uint8_t exif[]{'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1,
                         0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, uint8_t(options.orientation), 0, 0, 0, 0, 0, 0};
    jpeg_write_marker(&jpeg, JPEG_APP0 + 1, exif, sizeof exif);
  }
  for (uint32_t y = 0; y < image.height; ++y) {
    auto* row = const_cast<uint8_t*>(image.pixels.data() + size_t(y) * image.width * 3);
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  std::vector<uint8_t> file(bytes, bytes + count);
  jpeg_destroy_compress(&jpeg);
  std::free(bytes);
  return file;
}

} // namespace troupe::testing
