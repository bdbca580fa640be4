#include "apps/process.hpp"
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

extern char** environ;

namespace troupe::testing {
namespace {

struct pipe_ends {
  int read = -1, write = -1;
};

pipe_ends make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error(std::strerror(errno));
  return {ends[0], ends[1]};
}

void close_once(int& descriptor) {
  if (descriptor >= 0) ::close(std::exchange(descriptor, -1));
}

} // namespace

troupe_process::troupe_process(const std::vector<std::string>& arguments)
  : deadline_(std::chrono::steady_clock::now() + std::chrono::minutes(1)) {
  std::signal(SIGPIPE, SIG_IGN);
  const pipe_ends in = make_pipe(), out = make_pipe(), err = make_pipe();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read, 0);
  posix_spawn_file_actions_adddup2(&actions, out.write, 1);
  posix_spawn_file_actions_adddup2(&actions, err.write, 2);
  std::vector<std::string> words{TROUPE_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const int problem = ::posix_spawn(&id_, TROUPE_PROGRAM, &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  for (const int theirs : {in.read, out.write, err.write}) ::close(theirs);
  in_ = in.write;
  out_ = out.read;
  err_ = err.read;
  if (problem != 0) throw std::runtime_error(std::string(TROUPE_PROGRAM) + ": " + std::strerror(problem));
  ::fcntl(in_, F_SETFL, O_NONBLOCK);
}

troupe_process::~troupe_process() {
  close_in();
  close_once(out_);
  close_once(err_);
  if (id_ < 0) return;
  ::kill(id_, SIGKILL);
  ::waitpid(id_, nullptr, 0);
}

void troupe_process::close_in() { close_once(in_); }
void troupe_process::close_out() { close_once(out_); }
void troupe_process::signal(int number) { ::kill(id_, number); }

void troupe_process::write(std::string_view input) {
  while (!input.empty()) {
    const ssize_t written = ::write(in_, input.data(), input.size());
    if (written <= 0) return;
    input.remove_prefix(static_cast<size_t>(written));
  }
}

void troupe_process::write_and_close(std::string_view input) {
  input_ = input;
  if (input_.empty()) close_in();
}

bool troupe_process::read_some() {
  using std::chrono::milliseconds;
  const auto left = std::chrono::duration_cast<milliseconds>(deadline_ - std::chrono::steady_clock::now());
  if ((out_ < 0 && err_ < 0) || left <= milliseconds(0)) return false;
  // poll() passes over negative descriptors.
  pollfd ends[] = {{out_, POLLIN, 0}, {err_, POLLIN, 0}, {input_.empty() ? -1 : in_, POLLOUT, 0}};
  if (::poll(ends, 3, static_cast<int>(left.count())) <= 0) return true;
  if (ends[2].revents != 0) {
    const ssize_t written = ::write(in_, input_.data(), input_.size());
    input_.erase(0, written > 0 ? static_cast<size_t>(written) : input_.size());
    if (input_.empty()) close_in();
  }
  const auto drain = [](const pollfd& end, int& descriptor, std::string& into) {
    if (end.revents == 0) return;
    char buffer[65536];
    const ssize_t count = ::read(descriptor, buffer, sizeof buffer);
    if (count > 0) {
      into.append(buffer, static_cast<size_t>(count));
    } else {
      close_once(descriptor);
    }
  };
  drain(ends[0], out_, collected_.out);
  drain(ends[1], err_, collected_.err);
  return true;
}

const std::string& troupe_process::read_out(size_t bytes) {
  while (out_ >= 0 && collected_.out.size() < bytes && read_some()) {}
  return collected_.out;
}

outcome troupe_process::finish() {
  if (input_.empty()) close_in();
  while (read_some()) {}
  if (out_ >= 0 || err_ >= 0) ::kill(id_, SIGKILL); // Out of time.
  int status = 0;
  ::waitpid(std::exchange(id_, -1), &status, 0);
  collected_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return collected_;
}

outcome run_troupe(const std::vector<std::string>& arguments, std::string_view input) {
  troupe_process process{arguments};
  process.write_and_close(input);
  return process.finish();
}

} // namespace troupe::testing
