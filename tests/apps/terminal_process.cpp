#include "apps/terminal_process.hpp"
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdexcept>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utility>

namespace troupe::testing {

terminal_process::terminal_process(const std::vector<std::string>& arguments)
  : deadline_(std::chrono::steady_clock::now() + std::chrono::minutes(1)) {
  ::setenv("TERM", "xterm", 1);
  std::vector<std::string> words{TROUPE_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  int ends[2];
  const winsize size{24, 200, 0, 0};
  if (::pipe2(ends, O_CLOEXEC) != 0 || ::openpty(&terminal_, &other_end_, nullptr, nullptr, &size) != 0)
    throw std::runtime_error("there is no terminal");
  for (const int descriptor : {terminal_, other_end_}) ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  id_ = ::fork();
  if (id_ == 0) { // Other threads are not here: only what may be done in a signal handler.
    if (::setsid() < 0 || ::ioctl(other_end_, TIOCSCTTY, 0) != 0) ::_exit(127);
    ::dup2(other_end_, 0);
    ::dup2(ends[1], 1);
    ::dup2(other_end_, 2);
    ::execv(TROUPE_PROGRAM, pointers.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  out_ = ends[0];
  if (id_ < 0) throw std::runtime_error("there is no process");
}

terminal_process::~terminal_process() {
  if (id_ > 0) {
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }
  for (const int descriptor : {terminal_, other_end_, out_})
    if (descriptor >= 0) ::close(descriptor);
}

void terminal_process::type(std::string_view keys) {
  if (::write(terminal_, keys.data(), keys.size()) != ssize_t(keys.size())) throw std::runtime_error("the terminal takes no keys");
}

void terminal_process::signal(int number) { ::kill(id_, number); }

bool terminal_process::is_raw() const {
  termios now{};
  ::tcgetattr(other_end_, &now);
  return (now.c_lflag & (ICANON | ECHO)) == 0;
}

bool terminal_process::read_some() {
  using std::chrono::milliseconds;
  const auto left = std::chrono::duration_cast<milliseconds>(deadline_ - std::chrono::steady_clock::now());
  if (out_ < 0 || left <= milliseconds(0)) return false;
  pollfd both[] = {{out_, POLLIN, 0}, {terminal_, POLLIN, 0}};
  if (::poll(both, 2, int(left.count())) <= 0) return true;
  char buffer[65536];
  if (both[1].revents != 0)
    if (const ssize_t count = ::read(terminal_, buffer, sizeof buffer); count > 0) collected_.err.append(buffer, size_t(count));
  if (both[0].revents != 0) {
    const ssize_t count = ::read(out_, buffer, sizeof buffer);
    if (count > 0) collected_.out.append(buffer, size_t(count));
    else ::close(std::exchange(out_, -1)); // The process has ended.
  }
  return true;
}

void terminal_process::expect(std::string_view text) {
  size_t at = std::string::npos;
  while ((at = collected_.err.find(text, expected_)) == std::string::npos && read_some()) {}
  if (at == std::string::npos)
    throw std::runtime_error("\"" + std::string(text) + "\" did not come; the screen: " + collected_.err.substr(expected_));
  expected_ = at + text.size();
}

const std::string& terminal_process::read_out(size_t bytes) {
  while (collected_.out.size() < bytes && read_some()) {}
  return collected_.out;
}

outcome terminal_process::finish() {
  while (read_some()) {}
  if (out_ >= 0) ::kill(id_, SIGKILL); // Out of time.
  int status = 0;
  ::waitpid(std::exchange(id_, -1), &status, 0);
  collected_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return collected_;
}

} // namespace troupe::testing
