// Reads and resizes images for the script that compares with PIL. Of each line of stdin, "FILE WIDTH HEIGHT box|bilinear|bicubic" (0 0: as it
// is), it writes a line to stdout: width, height and the pixels in hexadecimal digits; or "error: " and the reason.
#include "model/error.hpp"
#include "model/images/read_image.hpp"
#include "model/images/resize.hpp"
#include <filesystem>
#include <iostream>
#include <sstream>
#include <string>

namespace {

troupe::resampling resampling_of(const std::string& name) {
  if (name == "box") return troupe::resampling::box;
  return name == "bicubic" ? troupe::resampling::bicubic : troupe::resampling::bilinear;
}

std::string answer(const std::string& line) {
  std::istringstream in(line);
  std::string file, how;
  uint32_t width = 0, height = 0;
  in >> file >> width >> height >> how;
  try {
    auto image = troupe::read_image(std::filesystem::path(file));
    if (width > 0) image = troupe::resize(image, width, height, resampling_of(how));
    std::string out = std::to_string(image.width) + " " + std::to_string(image.height) + " ";
    for (const uint8_t value : image.pixels) {
      out += "0123456789abcdef"[value >> 4];
      out += "0123456789abcdef"[value & 15];
    }
    return out;
  } catch (const troupe::input_error& error) {
    return std::string("error: ") + error.what();
  }
}

} // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) std::cout << answer(line) << std::endl;
}
