#include "model/error.hpp"
#include "model/kernels/rowwise.hpp"
#include "model/training/trainable_parts.hpp"
#include <algorithm>

namespace troupe {
namespace {

uint32_t segment_of(std::span<const uint32_t> segments_of, uint32_t row) { return segments_of.empty() ? 0 : segments_of[row]; }

} // namespace

void trainable_embedding::sum(uint32_t token, uint32_t position, uint32_t segment, std::span<float> out) const {
  TROUPE_ASSERT(token < table.slice.rows.count);
  std::ranges::copy(table.values().row(token), out.begin());
  if (spec.scale != 1)
    for (float& element : out) element *= spec.scale;
  if (segments) {
    TROUPE_ASSERT(segment < segments.slice.rows.count);
    add(out, segments.values().row(segment));
  }
  if (positions) {
    TROUPE_ASSERT(position + spec.position_offset < positions.slice.rows.count);
    add(out, positions.values().row(position + spec.position_offset));
  }
  if (!sinusoids.empty()) {
    TROUPE_ASSERT((uint64_t(position) + 1) * out.size() <= sinusoids.size());
    add(out, std::span(sinusoids).subspan(uint64_t(position) * out.size(), out.size()));
  }
}

void trainable_embedding::forward(std::span<const uint32_t> tokens, std::span<const uint32_t> positions_of,
                                  std::span<const uint32_t> segments_of, mutable_rows out) const {
  TROUPE_ASSERT(tokens.size() == out.rows);
  TROUPE_ASSERT(positions_of.size() == out.rows);
  TROUPE_ASSERT(segments_of.empty() || segments_of.size() == out.rows);
  for (uint32_t row = 0; row < out.rows; ++row) sum(tokens[row], positions_of[row], segment_of(segments_of, row), out.row(row));
  if (norm) norm->forward(out, out);
}

void trainable_embedding::backward(std::span<const uint32_t> tokens, std::span<const uint32_t> positions_of,
                                   std::span<const uint32_t> segments_of, const_rows dout) {
  TROUPE_ASSERT(tokens.size() == dout.rows);
  TROUPE_ASSERT(positions_of.size() == dout.rows);
  std::vector<float> sums(dout.columns), gradient(dout.columns);
  for (uint32_t row = 0; row < dout.rows; ++row) {
    const uint32_t segment = segment_of(segments_of, row);
    std::ranges::copy(dout.row(row), gradient.begin());
    if (norm) {
      sum(tokens[row], positions_of[row], segment, sums); // Cheaper again than kept.
      std::ranges::fill(gradient, 0.0f);
      normalize_backward(norm->spec, norm->weight.value, sums, dout.row(row), gradient, norm->weight.gradient, norm->bias.gradient);
    }
    if (segments) add(segments.gradients().row(segment), gradient);
    if (positions) add(positions.gradients().row(positions_of[row] + spec.position_offset), gradient);
    if (spec.scale != 1)
      for (float& element : gradient) element *= spec.scale;
    add(table.gradients().row(tokens[row]), gradient);
  }
}

} // namespace troupe
