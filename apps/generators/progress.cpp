#include "apps/generators/progress.hpp"
#include <csignal>
#include <cstdio>
#include <unistd.h>

namespace troupe::generators {
namespace {

volatile std::sig_atomic_t interrupted = 0;

void on_interrupt(int signal) {
  interrupted = 1;
  std::signal(signal, SIG_DFL);
}

} // namespace

void watch_interrupts() {
  for (const int ended_by : {SIGINT, SIGTERM}) std::signal(ended_by, on_interrupt);
}

bool is_interrupted() { return interrupted != 0; }

progress::progress(const char* name, uint64_t count, bool to_stdout)
    : name_(name), count_(count), enabled_(::isatty(STDERR_FILENO) == 1 && !(to_stdout && ::isatty(STDOUT_FILENO) == 1)) {}

progress::~progress() {
  if (drawn_) std::fputs("\r\x1b[K", stderr);
}

void progress::advance(uint64_t done) {
  if (!enabled_ || done % 1024 != 0 || std::chrono::steady_clock::now() - started_ < std::chrono::milliseconds(500)) return;
  std::fprintf(stderr, "\r%s: %d %%", name_, static_cast<int>(100.0 * static_cast<double>(done) / static_cast<double>(count_)));
  drawn_ = true;
}

} // namespace troupe::generators
