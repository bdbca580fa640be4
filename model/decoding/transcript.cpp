#include "model/decoding/transcript.hpp"
#include "model/error.hpp"
#include <algorithm>

namespace troupe {

heard_window read_window(std::span<const uint32_t> tokens, const timestamp_rules& times, uint32_t window_steps) {
  TROUPE_ASSERT(window_steps > 0);
  heard_window heard;
  heard.advance = window_steps;
  const auto is_time = [&](uint32_t token) { return token >= times.first; };
  const auto add = [&](std::span<const uint32_t> slice, uint32_t begin, uint32_t end) {
    transcript_segment segment{begin, end, {}};
    std::ranges::copy_if(slice, std::back_inserter(segment.tokens), [&](uint32_t token) { return token < times.text_end; });
    if (begin < end && !segment.tokens.empty()) heard.segments.push_back(std::move(segment));
  };
  const size_t count = tokens.size();
  const bool ends_alone = count >= 2 && is_time(tokens[count - 1]) && !is_time(tokens[count - 2]);
  std::vector<size_t> ends; // Of slices: behind their last token.
  for (size_t i = 1; i < count; ++i)
    if (is_time(tokens[i - 1]) && is_time(tokens[i])) ends.push_back(i);
  if (ends.empty()) {
    const auto last = std::find_if(tokens.rbegin(), tokens.rend(), is_time);
    add(tokens, 0, last != tokens.rend() && *last != times.first ? *last - times.first : window_steps);
    return heard;
  }
  if (ends_alone) ends.push_back(count);
  size_t first = 0;
  for (const size_t end : ends) {
    const uint32_t begins = is_time(tokens[first]) ? tokens[first] - times.first : 0;
    add(tokens.subspan(first, end - first), begins, tokens[end - 1] - times.first);
    first = end;
  }
  if (!ends_alone) heard.advance = std::min(tokens[first - 1] - times.first, window_steps);
  if (heard.advance == 0) heard.advance = window_steps; // Else it would never end.
  return heard;
}

} // namespace troupe
