#include "actors/threads/thread_times.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <span>
#include <unistd.h>

namespace troupe {

using std::chrono::nanoseconds;

namespace {

/// The beginning of a short file, ended by a zero. False: there is none. Without streams: it is called for every thread.
bool read_start(const std::filesystem::path& file, std::span<char> out) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const ssize_t count = ::read(descriptor, out.data(), out.size() - 1);
  ::close(descriptor);
  out[size_t(std::max<ssize_t>(count, 0))] = '\0';
  return count > 0;
}

} // namespace

std::optional<thread_times> read_thread_times(const std::filesystem::path& folder) {
  char text[512];
  long long ran = 0, waited = 0;
  if (!read_start(folder / "schedstat", text) || std::sscanf(text, "%lld %lld", &ran, &waited) != 2) return std::nullopt;
  // "ID (NAME) STATE ...": a name may hold anything, also spaces and brackets.
  if (!read_start(folder / "stat", text)) return std::nullopt;
  const char* const name_end = std::strrchr(text, ')');
  if (name_end == nullptr || std::strlen(name_end) < 3) return std::nullopt;
  const char state = name_end[2]; // R: runs or is ready, T and t: stopped, D: waits for the disk, as for memory that was swapped out.
  return thread_times{nanoseconds(ran), nanoseconds(waited), state == 'R' || state == 'T' || state == 't', state == 'D'};
}

nanoseconds starvation::add(nanoseconds passed, const std::vector<thread_times>& now) {
  nanoseconds most{0};
  if (now.size() != before_.size()) {
    counted_.assign(now.size(), nanoseconds(0));
    at_disk_.assign(now.size(), nanoseconds(0));
  } else {
    for (size_t i = 0; i < now.size(); ++i) {
      nanoseconds starved = now[i].waited - before_[i].waited;
      const nanoseconds made_up = std::min(starved, counted_[i]);
      starved -= made_up;
      counted_[i] -= made_up;
      const bool did_nothing = now[i].ran == before_[i].ran && now[i].waited == before_[i].waited;
      if (!did_nothing || !now[i].waits_for_disk) {
        at_disk_[i] = nanoseconds(0);
      } else if (at_disk_[i] < disk_patience) {
        at_disk_[i] += passed;
        starved = passed;
      }
      if (did_nothing && now[i].is_held_up) counted_[i] += starved = passed;
      if (did_nothing && !now[i].is_held_up) counted_[i] = nanoseconds(0); // It was stopped, which is not counted when it is over.
      most = std::max(most, starved);
    }
  }
  before_ = now;
  return std::min(most, passed);
}

} // namespace troupe
