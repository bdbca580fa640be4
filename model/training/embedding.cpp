#include "model/error.hpp"
#include "model/kernels/row_buffers.hpp"
#include "model/kernels/rowwise.hpp"
#include "model/kernels/windows.hpp"
#include "model/training/trainable_parts.hpp"
#include <algorithm>

namespace troupe {
namespace {

uint32_t segment_of(const embedding_input& in, uint32_t row) { return in.segments.empty() ? 0 : in.segments[row]; }

/// Calls each(patches of an image, number of the first row that they are).
template <class Each> void each_image(const image_spec& image, std::span<const float> pixels, training_scratch& scratch, Each each) {
  TROUPE_ASSERT(pixels.size() % image.elements() == 0);
  const window_shape windows{.channels = image.channels, .height = image.height, .width = image.width,
                             .window_height = image.patch_height, .window_width = image.patch_width,
                             .stride_down = image.patch_height, .stride_right = image.patch_width};
  const mutable_rows patches = rows_of_buffer(scratch.patches, image.patches(), image.patch_elements());
  for (uint64_t i = 0; i < pixels.size() / image.elements(); ++i) {
    gather_windows(windows, pixels.subspan(i * image.elements(), image.elements()), patches);
    each(const_rows(patches), uint32_t(i * image.rows() + 1));
  }
}

} // namespace

void trainable_embedding::sum(const embedding_input& in, mutable_rows out, training_scratch& scratch) const {
  TROUPE_ASSERT(in.tokens.size() == out.rows);
  TROUPE_ASSERT(in.positions.size() == out.rows);
  TROUPE_ASSERT(in.segments.empty() || in.segments.size() == out.rows);
  if (const auto& image = spec.image) {
    TROUPE_ASSERT(in.pixels.size() / image->elements() * image->rows() == out.rows);
    each_image(*image, in.pixels, scratch, [&](const_rows of_image, uint32_t first) {
      patches.forward(of_image, some_rows(out, first, image->patches()), scratch);
    });
  }
  for (uint32_t row = 0; row < out.rows; ++row) {
    const uint32_t token = in.tokens[row], position = in.positions[row], segment = segment_of(in, row);
    const auto x = out.row(row);
    TROUPE_ASSERT(token < table.slice.rows.count);
    if (!is_patch(row)) std::ranges::copy(table.values().row(token), x.begin());
    if (spec.scale != 1)
      for (float& element : x) element *= spec.scale;
    if (segments) {
      TROUPE_ASSERT(segment < segments.slice.rows.count);
      add(x, segments.values().row(segment));
    }
    if (positions) {
      TROUPE_ASSERT(position + spec.position_offset < positions.slice.rows.count);
      add(x, positions.values().row(position + spec.position_offset));
    }
    if (!sinusoids.empty()) {
      TROUPE_ASSERT((uint64_t(position) + 1) * x.size() <= sinusoids.size());
      add(x, std::span(sinusoids).subspan(uint64_t(position) * x.size(), x.size()));
    }
  }
}

void trainable_embedding::forward(const embedding_input& in, mutable_rows out, training_scratch& scratch) const {
  sum(in, out, scratch);
  if (norm) norm->forward(out, out);
}

void trainable_embedding::backward(const embedding_input& in, const_rows dout, training_scratch& scratch) {
  TROUPE_ASSERT(in.tokens.size() == dout.rows);
  TROUPE_ASSERT(in.positions.size() == dout.rows);
  const mutable_rows gradients = rows_of_buffer(scratch.embedding_gradient, dout.rows, dout.columns);
  if (norm) {
    const mutable_rows sums = rows_of_buffer(scratch.embedded, dout.rows, dout.columns);
    sum(in, sums, scratch); // Cheaper again than kept.
    for (uint32_t row = 0; row < dout.rows; ++row) std::ranges::fill(gradients.row(row), 0.0f);
    norm->backward(sums, dout, gradients);
  } else {
    for (uint32_t row = 0; row < dout.rows; ++row) std::ranges::copy(dout.row(row), gradients.row(row).begin());
  }
  for (uint32_t row = 0; row < dout.rows; ++row) {
    const auto gradient = gradients.row(row);
    if (segments) add(segments.gradients().row(segment_of(in, row)), gradient);
    if (positions) add(positions.gradients().row(in.positions[row] + spec.position_offset), gradient);
    if (spec.scale != 1)
      for (float& element : gradient) element *= spec.scale;
    if (!is_patch(row)) add(table.gradients().row(in.tokens[row]), gradient);
  }
  if (const auto& image = spec.image)
    each_image(*image, in.pixels, scratch, [&](const_rows of_image, uint32_t first) {
      patches.add_gradients(of_image, some_rows(gradients, first, image->patches()), scratch);
    });
}

void trainable_embedding::prepare() { patches.prepare(); }

} // namespace troupe
