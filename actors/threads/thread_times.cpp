#include "actors/threads/thread_times.hpp"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>

namespace troupe {

using std::chrono::nanoseconds;

std::optional<thread_times> read_thread_times(const std::filesystem::path& folder) {
  int64_t ran = 0, waited = 0;
  if (std::ifstream numbers(folder / "schedstat"); !(numbers >> ran >> waited)) return std::nullopt;
  // "ID (NAME) STATE ...": a name may hold anything, also spaces and brackets.
  std::ifstream file(folder / "stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= text.size()) return std::nullopt;
  const char state = text[name_end + 2]; // R: runs or is ready, T and t: stopped, D: waits for the disk, as for memory that was swapped out.
  return thread_times{nanoseconds(ran), nanoseconds(waited), state == 'R' || state == 'T' || state == 't' || state == 'D'};
}

nanoseconds starvation::add(nanoseconds passed, const std::vector<thread_times>& now) {
  nanoseconds most{0};
  if (now.size() != before_.size()) {
    counted_.assign(now.size(), nanoseconds(0));
  } else {
    for (size_t i = 0; i < now.size(); ++i) {
      nanoseconds starved = now[i].waited - before_[i].waited;
      const nanoseconds made_up = std::min(starved, counted_[i]);
      starved -= made_up;
      counted_[i] -= made_up;
      if (now[i].ran == before_[i].ran && now[i].waited == before_[i].waited) {
        if (now[i].is_held_up) counted_[i] += starved = passed;
        else counted_[i] = nanoseconds(0); // It was stopped or waited for the disk, which is not counted when it is over.
      }
      most = std::max(most, starved);
    }
  }
  before_ = now;
  return std::min(most, passed);
}

} // namespace troupe
