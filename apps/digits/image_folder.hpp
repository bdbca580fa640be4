#pragma once
// Images with labels as files: FOLDER/<label>/<number>.png.
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace troupe::digits {

/// A grey PNG of size x size pixels of 8 bits, not compressed, so that no version of a library decides over its bytes.
std::vector<uint8_t> grey_png(std::span<const uint8_t> pixels, uint32_t size);

/// A folder that appears under its name once it is complete: until then it is called "FOLDER.PROCESS.partial". Files are not forced to the
/// disk one by one: they can be made again. Everything here throws input_error, with the path and the system's reason.
class image_folder {
public:
  /// Also where `path` is not new and not an empty folder: images of two runs would be mixed.
  explicit image_folder(std::filesystem::path path);
  /// Without a commit() that returned: removes what was written.
  ~image_folder();
  image_folder(const image_folder&) = delete;
  image_folder& operator=(const image_folder&) = delete;

  /// Writes FOLDER/<digit>/<number>.png, the number with six digits or more.
  void write(uint32_t digit, uint64_t number, std::span<const uint8_t> png);
  /// Gives the folder its name. Once only, nothing after it.
  void commit();

private:
  std::filesystem::path path_, partial_;
  bool is_committed_ = false;
};

} // namespace troupe::digits
