#pragma once
#include <cstdint>
#include <vector>

namespace troupe {

/// Some whole sequences that go through a model together, row after row without padding; with an encoder a source sequence for each of
/// them.
struct micro_batch {
  std::vector<uint32_t> tokens;  // [rows]
  std::vector<int32_t> targets;  // [rows], or one of each sequence where the output is of first rows; -1: none.
  std::vector<uint32_t> lengths; // Of the sequences; they sum up to rows.
  std::vector<uint32_t> segments = {};               // [rows], or empty: all of segment 0.
  std::vector<uint32_t> source = {}, source_lengths = {}; // The encoder's tokens, [source rows].
  uint32_t rows() const { return uint32_t(tokens.size()); }
  uint32_t source_rows() const { return uint32_t(source.size()); }
  uint64_t target_count() const;
  bool operator==(const micro_batch&) const = default;
};

} // namespace troupe
