#pragma once
#include "model/utf8.hpp"
#include <vector>

namespace troupe {

struct utf8_run {
  std::string_view text; // Not empty.
  bool is_valid;         // UTF-8.
};

/// `text` cut where valid UTF-8 begins and ends, for libraries that take nothing else.
inline std::vector<utf8_run> utf8_runs(std::string_view text) {
  std::vector<utf8_run> runs;
  size_t begin = 0;
  bool is_valid = true;
  for (size_t position = 0; position < text.size();) {
    const auto step = utf8_next(text, position);
    const bool now = step.state == utf8_state::whole;
    if (now != is_valid) {
      if (position > begin) runs.push_back({text.substr(begin, position - begin), is_valid});
      begin = position;
      is_valid = now;
    }
    position += step.bytes;
  }
  if (begin < text.size()) runs.push_back({text.substr(begin), is_valid});
  return runs;
}

} // namespace troupe
