#pragma once
// From the tokens that a model that listens has written to what was said when (Radford et al. 2022, §3.8).
#include "model/decoding/token_rules.hpp"
#include <cstdint>
#include <span>
#include <vector>

namespace troupe {

/// Times are in steps from the beginning of the window: those that tokens of time count.
struct transcript_segment {
  uint32_t begin = 0, end = 0;
  std::vector<uint32_t> tokens; // Of text alone, at least one.
  bool operator==(const transcript_segment&) const = default;
};

struct heard_window {
  std::vector<transcript_segment> segments;
  uint32_t advance = 0; // Where the next window begins; at least 1.
};

/// What was generated for a window that holds so many steps of sound, at least 1. Two times side by side end a segment and begin the next
/// one. What begins behind the last such pair is not over: the next window begins there. Where there is no pair, or a time alone ends it,
/// all that the window holds was heard. Segments without text, and those that end when they begin, are left out.
heard_window read_window(std::span<const uint32_t> tokens, const timestamp_rules& times, uint32_t window_steps);

} // namespace troupe
