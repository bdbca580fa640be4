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

/// Row i of `out` becomes gelu(W x + bias) of the three frames around frame i * stride. input: [channels, frames].
void convolve_frames(uint32_t channels, uint32_t stride, std::span<const float> input, const projection& weights, mutable_rows out,
                     part_scratch& scratch) {
  const window_shape windows{.channels = channels, .width = uint32_t(input.size() / channels), .window_width = 3, .stride_right = stride,
                             .padding_width = 1};
  TROUPE_ASSERT(windows.windows() == out.rows);
  const mutable_rows gathered = rows_of_buffer(scratch.patches, windows.windows(), windows.elements());
  gather_windows(windows, input, gathered);
  scratch.input.assign(gathered);
  weights.apply(scratch.input, out);
  for (uint32_t row = 0; row < out.rows; ++row) activate(activation_kind::gelu_erf, out.row(row));
}

/// The rows of sounds.
void enter_sound(const audio_spec& audio, const std::vector<projection>& weights, std::span<const float> features, mutable_rows out,
                 part_scratch& scratch) {
  TROUPE_ASSERT(weights.size() == 2 && features.size() % audio.elements() == 0);
  const uint64_t sounds = features.size() / audio.elements();
  TROUPE_ASSERT(sounds * audio.rows() == out.rows);
  for (uint32_t i = 0; i < sounds; ++i) {
    const mutable_rows frames = rows_of_buffer(scratch.frames, audio.frames, out.columns);
    convolve_frames(audio.bins, 1, features.subspan(i * audio.elements(), audio.elements()), weights[0], frames, scratch);
    const mutable_rows channels = rows_of_buffer(scratch.channels, out.columns, audio.frames);
    transpose(frames, channels);
    convolve_frames(out.columns, 2, {channels.data, uint64_t(out.columns) * audio.frames}, weights[1],
                    some_rows(out, i * audio.rows(), audio.rows()), scratch);
  }
}

} // namespace

void embedding_part::forward(std::span<const uint32_t> tokens, std::span<const uint32_t> positions_of,
                             std::span<const uint32_t> segments_of, mutable_rows out, part_scratch& scratch,
                             std::span<const float> features) const {
  TROUPE_ASSERT(spec.image || spec.audio || features.empty());
  if (spec.image) enter_patches(*spec.image, patches, features, out, scratch);
  if (spec.audio) enter_sound(*spec.audio, convolutions, features, out, scratch);
  TROUPE_ASSERT(tokens.size() == out.rows);
  TROUPE_ASSERT(positions_of.size() == out.rows);
  TROUPE_ASSERT(segments_of.empty() || segments_of.size() == out.rows);
  TROUPE_ASSERT(spec.audio || table.columns == out.columns);
  for (uint32_t row = 0; row < out.rows; ++row) {
    TROUPE_ASSERT(spec.audio || tokens[row] < table.rows);
    const auto x = out.row(row);
    const bool is_token = !spec.audio && !(spec.image && row % spec.image->rows() > 0);
    TROUPE_ASSERT(!spec.image || positions_of[row] == row % spec.image->rows());
    TROUPE_ASSERT(!spec.audio || positions_of[row] == row % spec.audio->rows());
    if (is_token) dequantize_row(table, tokens[row], x);
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
