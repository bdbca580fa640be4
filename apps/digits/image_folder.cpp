#include "apps/digits/image_folder.hpp"
#include "model/error.hpp"
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <png.h>
#include <unistd.h>

namespace troupe::digits {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void fail(const fs::path& path, const std::string& why) { throw input_error(path.string() + ": " + why); }

// Errors of libpng are jumps. Writing to memory it has one, that it gets none of its own: then nothing is left to be destroyed in between.
bool write_rows(png_structp png, png_infop info, std::span<const uint8_t> pixels, uint32_t size) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_compression_level(png, 0);
  png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_NO_FILTERS);
  png_set_IHDR(png, info, size, size, 8, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  for (uint32_t y = 0; y < size; ++y) png_write_row(png, pixels.data() + size_t(y) * size);
  png_write_end(png, nullptr);
  return true;
}

} // namespace

std::vector<uint8_t> grey_png(std::span<const uint8_t> pixels, uint32_t size) {
  TROUPE_ASSERT(size > 0 && pixels.size() == size_t(size) * size);
  std::vector<uint8_t> file;
  file.reserve(2 * pixels.size() + 4096); // More than it comes to: what appends need not allocate, so it cannot throw through libpng.
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png == nullptr ? nullptr : png_create_info_struct(png);
  bool is_written = info != nullptr;
  if (is_written) {
    const auto append = [](png_structp to, png_bytep bytes, size_t count) {
      auto& all = *static_cast<std::vector<uint8_t>*>(png_get_io_ptr(to));
      all.insert(all.end(), bytes, bytes + count);
    };
    png_set_write_fn(png, &file, append, [](png_structp) {});
    is_written = write_rows(png, info, pixels, size);
  }
  png_destroy_write_struct(&png, &info);
  if (!is_written) throw std::bad_alloc();
  return file;
}

image_folder::image_folder(fs::path path) : path_(fs::absolute(path).lexically_normal()) {
  if (!path_.has_filename()) path_ = path_.parent_path(); // "digits/"
  std::error_code error;
  if (fs::exists(path_, error) && !(fs::is_directory(path_, error) && fs::is_empty(path_, error))) {
    fail(path_, "is there already, and not an empty folder");
  }
  partial_ = path_;
  partial_ += "." + std::to_string(::getpid()) + ".partial";
  if (!fs::create_directory(partial_, error)) fail(partial_, error ? error.message() : "is there already");
  for (int digit = 0; digit < 10; ++digit) {
    if (fs::create_directory(partial_ / std::to_string(digit), error)) continue;
    std::error_code ignored;
    fs::remove_all(partial_, ignored);
    fail(partial_, error.message());
  }
}

image_folder::~image_folder() {
  std::error_code ignored;
  if (!is_committed_) fs::remove_all(partial_, ignored);
}

void image_folder::write(uint32_t digit, uint64_t number, std::span<const uint8_t> png) {
  char name[32];
  std::snprintf(name, sizeof name, "%06" PRIu64 ".png", number);
  const fs::path path = partial_ / std::to_string(digit) / name;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::fopen(path.c_str(), "wbx"), std::fclose};
  if (file == nullptr || std::fwrite(png.data(), 1, png.size(), file.get()) != png.size() || std::fflush(file.get()) != 0) {
    fail(path, std::strerror(errno));
  }
}

void image_folder::commit() {
  std::error_code error;
  fs::rename(partial_, path_, error);
  if (error) fail(path_, error.message());
  is_committed_ = true;
}

} // namespace troupe::digits
