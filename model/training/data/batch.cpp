#include "model/training/data/batch.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <string>

namespace troupe {

namespace {

batch some_rows(const batch& whole, uint32_t first, uint32_t rows, uint32_t columns) {
  batch part;
  part.rows = rows;
  part.columns = columns;
  part.epoch = whole.epoch;
  part.step = whole.step;
  for (uint32_t row = first; row < first + rows; ++row) {
    const auto begin = static_cast<ptrdiff_t>(uint64_t(row) * whole.columns);
    const auto tokens = whole.tokens.begin() + begin;
    const auto targets = whole.targets.begin() + begin;
    part.tokens.insert(part.tokens.end(), tokens, tokens + columns);
    part.targets.insert(part.targets.end(), targets, targets + columns);
    part.row_lengths.push_back(whole.row_lengths[row]);
  }
  return part;
}

} // namespace

uint64_t target_count(const batch& whole) {
  return whole.targets.size() -
         static_cast<uint64_t>(std::count(whole.targets.begin(), whole.targets.end(), batch::ignored));
}

std::vector<batch> cut_batch(const batch& whole, uint64_t tokens_max) {
  std::vector<batch> parts;
  for (uint32_t first = 0; first < whole.rows;) {
    uint32_t rows = 0, columns = 0;
    while (first + rows < whole.rows) {
      const uint32_t wider = std::max(columns, whole.row_lengths[first + rows]);
      if (uint64_t(wider) * (rows + 1) > tokens_max) break;
      columns = wider;
      ++rows;
    }
    if (rows == 0)
      throw input_error("a sequence of " + std::to_string(whole.row_lengths[first]) + " tokens does not fit into " +
                        std::to_string(tokens_max) + " tokens of a micro-batch");
    parts.push_back(some_rows(whole, first, rows, columns));
    first += rows;
  }
  return parts;
}

} // namespace troupe
