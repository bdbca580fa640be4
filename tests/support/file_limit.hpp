#pragma once
// Stands for a full disk.
#include <csignal>
#include <sys/resource.h>

namespace troupe::testing {

/// While it exists, no file grows beyond so many bytes: not by this process, and not by one that it starts.
class file_limit {
public:
  explicit file_limit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~file_limit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  file_limit(const file_limit&) = delete;
  file_limit& operator=(const file_limit&) = delete;

private:
  struct rlimit before_ {};
  void (*handler_)(int);
};

} // namespace troupe::testing
