#pragma once
// The built program `troupe` in a terminal of its own, as a person has it: stdin and stderr are the terminal, stdout is a pipe.
#include "apps/process.hpp"
#include <chrono>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace troupe::testing {

/// Killed when this object is destroyed before it ended. Everything takes a minute in all at most.
class terminal_process {
public:
  explicit terminal_process(const std::vector<std::string>& arguments);
  ~terminal_process();
  terminal_process(const terminal_process&) = delete;
  terminal_process& operator=(const terminal_process&) = delete;

  /// Presses these keys.
  void type(std::string_view keys);
  /// Waits until the screen has shown this behind what was expected before. Throws std::runtime_error when it does not come.
  void expect(std::string_view text);
  /// Waits until it has printed at least `bytes` on stdout or closed it.
  const std::string& read_out(size_t bytes);
  void signal(int number);
  /// Whether every key goes to the program at once, and without an echo.
  bool is_raw() const;
  /// Collects the rest and waits for the end. `err`: all that was on the screen.
  outcome finish();

private:
  bool read_some(); // False when it has ended, or time is up.

  pid_t id_ = -1;
  int terminal_ = -1, other_end_ = -1, out_ = -1;
  size_t expected_ = 0; // Of the screen: up to where it was expected.
  outcome collected_;
  std::chrono::steady_clock::time_point deadline_;
};

} // namespace troupe::testing
