#include "apps/troupe/cli/terminal.hpp"
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iterator>
#include <sys/ioctl.h>
#include <unistd.h>

namespace troupe {
namespace {

/// False when the descriptor does not take it; errno says why.
bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

std::atomic<int> interrupt_signal{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may touch it");

extern "C" void on_interrupt(int signal) {
  int none = 0;
  if (!interrupt_signal.compare_exchange_strong(none, signal)) ::_exit(128 + signal);
}

constexpr int interrupts[] = {SIGINT, SIGTERM};

} // namespace

void print(std::string_view text) {
  if (write_all(STDOUT_FILENO, text)) return;
  if (errno == EPIPE) throw output_closed("stdout is closed");
  throw output_error(std::string("cannot write to stdout: ") + std::strerror(errno));
}

void note(std::string_view text) { print_error("troupe: " + std::string(text) + "\n"); }

void print_error(std::string_view text) { write_all(STDERR_FILENO, text); } // If this fails, there is no way to report it.

std::optional<terminal_size> size_of_terminal(int descriptor) {
  if (::isatty(descriptor) != 1) return std::nullopt;
  terminal_size size;
  winsize known{};
  if (::ioctl(descriptor, TIOCGWINSZ, &known) != 0) return size;
  if (known.ws_col > 0) size.columns = known.ws_col;
  if (known.ws_row > 0) size.rows = known.ws_row;
  return size;
}

progress_bar::progress_bar(std::string label, bool enabled)
  : label_(std::move(label)), enabled_(enabled && ::isatty(STDERR_FILENO) == 1),
    started_(std::chrono::steady_clock::now()) {}

progress_bar::~progress_bar() { finish(); }

void progress_bar::advance(double share, std::string_view remark) {
  if (!enabled_) return;
  const int percent = static_cast<int>(100 * std::clamp(share, 0.0, 1.0));
  int before = percent_.load();
  do {
    if (percent <= before && remark.empty()) return;
  } while (!percent_.compare_exchange_weak(before, percent));
  if (std::chrono::steady_clock::now() - started_ < std::chrono::milliseconds(250)) return;
  constexpr int cells = 30;
  const int full = percent * cells / 100;
  std::string line = "\r\x1b[K" + label_ + " [";
  line.append(static_cast<size_t>(full), '#').append(static_cast<size_t>(cells - full), '.');
  line += "] " + std::to_string(percent) + " % " + std::string(remark);
  drawn_ = true;
  write_all(STDERR_FILENO, line); // One write: lines of several threads never mix.
}

void progress_bar::finish() {
  if (drawn_.exchange(false)) write_all(STDERR_FILENO, "\r\x1b[K");
  enabled_ = false;
}

interrupt_guard::interrupt_guard() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  for (size_t i = 0; i < std::size(interrupts); ++i) ::sigaction(interrupts[i], &action, &before_[i]);
}

interrupt_guard::~interrupt_guard() {
  for (size_t i = 0; i < std::size(interrupts); ++i) ::sigaction(interrupts[i], &before_[i], nullptr);
}

int interrupt_guard::signal() { return interrupt_signal.load(); }
int interrupt_guard::take() { return interrupt_signal.exchange(0); }

} // namespace troupe
