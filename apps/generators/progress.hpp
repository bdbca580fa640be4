#pragma once
// What a generator does while it works: it shows how far it is, and ends in order when it is interrupted.
#include <chrono>
#include <cstdint>

namespace troupe::generators {

/// From now on the first SIGINT or SIGTERM only sets is_interrupted(), so that no partial output is left; a second one ends the program
/// at once.
void watch_interrupts();
bool is_interrupted();

/// A percentage on stderr, if that is a terminal that the output does not go to, and the work takes longer than a moment.
class progress {
public:
  /// The output of `count` things goes to stdout, or to files.
  progress(const char* name, uint64_t count, bool to_stdout);
  ~progress();
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;
  void advance(uint64_t done);

private:
  const char* name_;
  uint64_t count_;
  bool enabled_, drawn_ = false;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

} // namespace troupe::generators
