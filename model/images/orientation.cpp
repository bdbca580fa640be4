// Orientation as EXIF has it: tag 0x112 of the first directory of a TIFF structure (EXIF 2.32, §4.6.4).
#include "model/images/formats.hpp"
#include <array>

namespace troupe {
namespace {

/// Numbers of a TIFF structure, in its byte order. Beyond its end they are 0.
class tiff_reader {
public:
  explicit tiff_reader(std::span<const uint8_t> bytes) : bytes_(bytes), is_little_(!bytes.empty() && bytes[0] == 'I') {}
  uint32_t number(uint64_t at, uint32_t size) const {
    if (at + size > bytes_.size()) return 0;
    uint32_t value = 0;
    for (uint32_t i = 0; i < size; ++i) value = value << 8 | bytes_[at + (is_little_ ? size - 1 - i : i)];
    return value;
  }

private:
  std::span<const uint8_t> bytes_;
  bool is_little_;
};

} // namespace

uint32_t orientation_in(std::span<const uint8_t> exif) {
  constexpr uint32_t magic = 42, orientation_tag = 0x112, short_type = 3, entry_bytes = 12;
  const bool has_order = exif.size() >= 2 && exif[0] == exif[1] && (exif[0] == 'I' || exif[0] == 'M');
  const tiff_reader tiff(exif);
  if (!has_order || tiff.number(2, 2) != magic) return 1;
  const uint64_t directory = tiff.number(4, 4);
  const uint32_t entries = tiff.number(directory, 2);
  for (uint32_t i = 0; i < entries; ++i) {
    const uint64_t entry = directory + 2 + uint64_t(i) * entry_bytes;
    if (tiff.number(entry, 2) != orientation_tag || tiff.number(entry + 2, 2) != short_type) continue;
    const uint32_t value = tiff.number(entry + 8, 2);
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

rgb_image turned(rgb_image image, uint32_t orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  // Where column 0 and row 0 of what is to be seen come from: from the right, from the bottom; 5 to 8 swap rows and columns first.
  struct way {
    bool from_right, from_bottom, swaps;
  };
  constexpr std::array<way, 9> ways{way{}, {}, {true, false, false}, {true, true, false}, {false, true, false},
                                    {false, false, true}, {false, true, true}, {true, true, true}, {true, false, true}};
  const auto [from_right, from_bottom, swaps] = ways[orientation];
  rgb_image result{swaps ? image.height : image.width, swaps ? image.width : image.height, {}};
  result.pixels.resize(image.pixels.size());
  uint8_t* to = result.pixels.data();
  for (uint32_t y = 0; y < result.height; ++y)
    for (uint32_t x = 0; x < result.width; ++x, to += 3) {
      const uint32_t column = swaps ? y : x, row = swaps ? x : y;
      const uint64_t from_x = from_right ? image.width - 1 - column : column, from_y = from_bottom ? image.height - 1 - row : row;
      const uint8_t* from = image.pixels.data() + (from_y * image.width + from_x) * 3;
      to[0] = from[0], to[1] = from[1], to[2] = from[2];
    }
  return result;
}

} // namespace troupe
