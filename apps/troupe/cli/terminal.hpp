#pragma once
// The process's terminal: results on stdout, notes and progress on stderr, signals.
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace troupe {

/// A result could not be written: the disk is full, say. Names the reason.
struct output_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// The reader of stdout has closed it. Ends the command without a message.
struct output_closed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Writes to stdout at once. Throws output_closed or output_error.
void print(std::string_view text);

/// "troupe: <text>" as a line on stderr.
void note(std::string_view text);
/// On stderr as it is.
void print_error(std::string_view text);

struct terminal_size {
  uint32_t columns = 80, rows = 24;
};
/// Of the terminal that this descriptor is; nothing when it is none.
std::optional<terminal_size> size_of_terminal(int descriptor);

/// A bar on stderr, where stderr is a terminal; otherwise nothing. Appears only when the work takes longer than a
/// moment, and is wiped when it is done. advance() may be called from any thread, from several at once.
class progress_bar {
public:
  progress_bar(std::string label, bool enabled);
  ~progress_bar();
  progress_bar(const progress_bar&) = delete;
  progress_bar& operator=(const progress_bar&) = delete;
  /// `share` in [0, 1]; going back is ignored, unless there is a `remark`, which stands behind the bar.
  void advance(double share, std::string_view remark = {});
  void finish(); // Wipes it; the destructor does so too.

private:
  std::string label_;
  bool enabled_;
  std::chrono::steady_clock::time_point started_;
  std::atomic<int> percent_{-1};
  std::atomic<bool> drawn_{false};
};

/// While it exists, the first SIGINT or SIGTERM only sets a flag, and a second one ends the process at once. When it goes, signals do what
/// they did before it came: guards may be nested.
class interrupt_guard {
public:
  interrupt_guard();
  ~interrupt_guard();
  interrupt_guard(const interrupt_guard&) = delete;
  interrupt_guard& operator=(const interrupt_guard&) = delete;
  /// The signal that came, or 0.
  static int signal();
  /// The same, and forgets it: the next signal is a first one again.
  static int take();

private:
  struct sigaction before_[2]; // Of SIGINT and SIGTERM.
};

} // namespace troupe
