#pragma once
// Threads of a library take no signals: those of the process are for the threads of the program.
#include <csignal>
#include <pthread.h>

namespace troupe {

/// While it exists, threads that this thread creates begin with all signals blocked but those that a fault of the thread itself raises, and
/// that of profilers.
/// The thread's own mask is the same as before when it is gone.
class signals_blocked {
public:
  signals_blocked() {
    sigset_t all;
    sigfillset(&all);
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF}) sigdelset(&all, own);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~signals_blocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  signals_blocked(const signals_blocked&) = delete;
  signals_blocked& operator=(const signals_blocked&) = delete;

private:
  sigset_t before_;
};

} // namespace troupe
