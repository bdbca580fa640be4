// PNG, by libpng. Its errors are jumps: between a setjmp and the calls that may jump nothing is constructed that has to be destroyed.
#include "model/error.hpp"
#include "model/images/formats.hpp"
#include <cstdio>
#include <cstring>
#include <new>
#include <png.h>

namespace troupe {
namespace {

struct png_job {
  std::span<const uint8_t> file;
  size_t at = 0;
  char error[160] = "";
  png_structp png = nullptr;
  png_infop info = nullptr;
  uint32_t width = 0, height = 0;
  uint32_t orientation = 1;
  uint8_t* pixels = nullptr;
  uint8_t** rows = nullptr;

  ~png_job() { png_destroy_read_struct(&png, &info, nullptr); }
};

void read_bytes(png_structp png, png_bytep into, size_t count) {
  auto& job = *static_cast<png_job*>(png_get_io_ptr(png));
  if (count > job.file.size() - job.at) png_error(png, "the file is cut short");
  std::memcpy(into, job.file.data() + job.at, count);
  job.at += count;
}

void on_error(png_structp png, png_const_charp text) {
  auto& job = *static_cast<png_job*>(png_get_error_ptr(png));
  std::snprintf(job.error, sizeof job.error, "%s", text);
  png_longjmp(png, 1);
}
void on_warning(png_structp, png_const_charp) {}

/// Only what libpng asks for itself is allocated in these two. False: job.error says why.
bool read_header(png_job& job, const image_limits& limits) {
  if (setjmp(png_jmpbuf(job.png))) return false;
  png_set_read_fn(job.png, &job, read_bytes);
  png_set_user_limits(job.png, limits.side_max, limits.side_max);
  png_set_chunk_malloc_max(job.png, 8 << 20);
  png_set_chunk_cache_max(job.png, 64);
  png_read_info(job.png, job.info);
  job.width = png_get_image_width(job.png, job.info);
  job.height = png_get_image_height(job.png, job.info);
  png_uint_32 exif_bytes = 0;
  png_bytep exif = nullptr;
  if (png_get_eXIf_1(job.png, job.info, &exif_bytes, &exif) != 0 && exif != nullptr) job.orientation = orientation_in({exif, exif_bytes});
  return true;
}

bool read_rows(png_job& job) {
  if (setjmp(png_jmpbuf(job.png))) return false;
  const auto type = png_get_color_type(job.png, job.info);
  if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(job.png);
  if (type == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(job.png);
  png_set_strip_16(job.png);
  png_set_strip_alpha(job.png);
  if (type == PNG_COLOR_TYPE_GRAY || type == PNG_COLOR_TYPE_GRAY_ALPHA) png_set_gray_to_rgb(job.png);
  png_read_update_info(job.png, job.info);
  if (png_get_rowbytes(job.png, job.info) != size_t(job.width) * 3) png_error(job.png, "its colours are not supported");
  png_read_image(job.png, job.rows);
  png_read_end(job.png, nullptr);
  return true;
}

} // namespace

decoded_image decode_png(std::span<const uint8_t> file, const image_limits& limits) {
  png_job job{.file = file};
  job.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
  if (job.png == nullptr) throw std::bad_alloc();
  job.info = png_create_info_struct(job.png);
  if (job.info == nullptr) throw std::bad_alloc();
  const auto fail = [&] { throw input_error("the PNG is damaged: " + std::string(job.error)); };
  if (!read_header(job, limits)) fail();
  require_size(job.width, job.height, limits);
  decoded_image result{{job.width, job.height, {}}, job.orientation};
  result.image.pixels.resize(size_t(job.width) * job.height * 3);
  std::vector<uint8_t*> rows(job.height);
  for (size_t y = 0; y < rows.size(); ++y) rows[y] = result.image.pixels.data() + y * job.width * 3;
  job.rows = rows.data();
  if (!read_rows(job)) fail();
  return result;
}

} // namespace troupe
