#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace troupe {

/// Targets of a row: a token, or where the output is of first rows a sequence's label, or none.
constexpr int32_t no_target = -1;

/// Some whole sequences that go through a model together, row after row without padding; with an encoder a source sequence for each of
/// them.
struct micro_batch {
  std::vector<uint32_t> tokens;  // [rows]
  std::vector<int32_t> targets;  // [rows], or one of each sequence where the output is of first rows; or no_target.
  std::vector<uint32_t> lengths; // Of the sequences; they sum up to rows.
  std::vector<uint32_t> segments = {};               // [rows], or empty: all of segment 0.
  std::vector<uint32_t> source = {}, source_lengths = {}; // The encoder's tokens, [source rows].
  std::vector<float> pixels = {};                    // Of images: [sequences, channels, height, width].
  uint32_t rows() const { return uint32_t(tokens.size()); }
  uint32_t source_rows() const { return uint32_t(source.size()); }
  uint64_t target_count() const;
  bool operator==(const micro_batch&) const = default;
};

/// Of the rows of sequences of these lengths: 0, 1, ... in each.
std::vector<uint32_t> positions_of(std::span<const uint32_t> lengths);

} // namespace troupe
