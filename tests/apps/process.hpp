#pragma once
// The built program `troupe` as a process, as its users run it.
#include <chrono>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace troupe::testing {

struct outcome {
  int exit_code = -1; // 128 + signal when a signal ended it, as shells say.
  std::string out, err;
};

/// A running `troupe`. Its stdin is a pipe; what it prints is collected. Killed when this object is destroyed before it ended.
class troupe_process {
public:
  explicit troupe_process(const std::vector<std::string>& arguments);
  ~troupe_process();
  troupe_process(const troupe_process&) = delete;
  troupe_process& operator=(const troupe_process&) = delete;

  /// Gives it `input`, a few bytes, and keeps its stdin open.
  void write(std::string_view input);
  /// Gives it `input` as the rest of its stdin.
  void write_and_close(std::string_view input);
  /// Waits until it has printed at least `bytes` on stdout or closed it. Returns what has come.
  const std::string& read_out(size_t bytes);
  void close_out(); // As a reader that goes away.
  void signal(int number);
  /// Collects the rest and waits for the end. A process that takes longer than a minute is killed: exit code 137.
  outcome finish();

private:
  bool read_some(); // False when both outputs are closed, or time is up.
  void close_in();

  pid_t id_ = -1;
  int in_ = -1, out_ = -1, err_ = -1;
  std::string input_;
  outcome collected_;
  std::chrono::steady_clock::time_point deadline_;
};

/// From start to end.
outcome run_troupe(const std::vector<std::string>& arguments, std::string_view input = "");

} // namespace troupe::testing
