#include "model/error.hpp"
#include "model/kernels/dequantize.hpp"
#include "model/kernels/row_buffers.hpp"
#include "model/kernels/windows.hpp"
#include "model/parts.hpp"

namespace troupe {
namespace {

/// x += a row of a table.
void add_row(const tensor_view& table, uint32_t row, std::span<float> x, part_scratch& scratch) {
  TROUPE_ASSERT(row < table.rows);
  const mutable_rows buffer = rows_of_buffer(scratch.row, 1, uint32_t(x.size()));
  dequantize_row(table, row, buffer.row(0));
  add(x, buffer.row(0));
}

/// The rows of images but for their class tokens.
void enter_patches(const image_spec& image, const projection& weights, std::span<const float> pixels, mutable_rows out,
                   part_scratch& scratch) {
  TROUPE_ASSERT(pixels.size() % image.elements() == 0);
  const uint64_t images = pixels.size() / image.elements();
  TROUPE_ASSERT(images * image.rows() == out.rows);
  const window_shape windows{.channels = image.channels, .height = image.height, .width = image.width,
                             .window_height = image.patch_height, .window_width = image.patch_width,
                             .stride_down = image.patch_height, .stride_right = image.patch_width};
  const mutable_rows patches = rows_of_buffer(scratch.patches, image.patches(), image.patch_elements());
  for (uint32_t i = 0; i < images; ++i) {
    gather_windows(windows, pixels.subspan(i * image.elements(), image.elements()), patches);
    scratch.input.assign(patches);
    weights.apply(scratch.input, some_rows(out, i * image.rows() + 1, image.patches()));
  }
}

} // namespace

void embedding_part::forward(std::span<const uint32_t> tokens, std::span<const uint32_t> positions_of,
                             std::span<const uint32_t> segments_of, mutable_rows out, part_scratch& scratch,
                             std::span<const float> pixels) const {
  TROUPE_ASSERT(spec.image.has_value() || pixels.empty());
  if (spec.image) enter_patches(*spec.image, patches, pixels, out, scratch);
  TROUPE_ASSERT(tokens.size() == out.rows);
  TROUPE_ASSERT(positions_of.size() == out.rows);
  TROUPE_ASSERT(segments_of.empty() || segments_of.size() == out.rows);
  TROUPE_ASSERT(table.columns == out.columns);
  for (uint32_t row = 0; row < out.rows; ++row) {
    TROUPE_ASSERT(tokens[row] < table.rows);
    const auto x = out.row(row);
    const bool is_patch = spec.image && row % spec.image->rows() > 0;
    TROUPE_ASSERT(!spec.image || positions_of[row] == row % spec.image->rows());
    if (!is_patch) dequantize_row(table, tokens[row], x);
    if (spec.scale != 1)
      for (float& element : x) element *= spec.scale;
    if (segments) add_row(*segments, segments_of.empty() ? 0 : segments_of[row], x, scratch);
    if (positions) add_row(*positions, positions_of[row] + spec.position_offset, x, scratch);
    if (!sinusoids.empty()) {
      const uint64_t first = uint64_t(positions_of[row]) * out.columns;
      TROUPE_ASSERT(first + out.columns <= sinusoids.size());
      add(x, {sinusoids.data() + first, out.columns});
    }
  }
  if (norm) norm->apply(out, out);
}

} // namespace troupe
