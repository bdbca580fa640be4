#include "apps/troupe/cli/child_process.hpp"
#include "apps/troupe/cli/command.hpp"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace troupe {
namespace {

struct pipe_ends {
  int in = -1, out = -1; // To read from, to write to.
  pipe_ends() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw run_error(std::string("cannot make a pipe: ") + std::strerror(errno));
    in = ends[0];
    out = ends[1];
  }
  ~pipe_ends() {
    close_out();
    close(in);
  }
  void close_out() {
    if (out >= 0) close(out);
    out = -1;
  }
};

/// Reads both until they are closed.
void collect(const pipe_ends& first, std::string& to_first, const pipe_ends& second, std::string& to_second) {
  pollfd waiting[2]{{first.in, POLLIN, 0}, {second.in, POLLIN, 0}};
  std::string* to[2]{&to_first, &to_second};
  for (int open = 2; open > 0;) {
    if (poll(waiting, 2, -1) < 0) continue; // A signal.
    for (int i = 0; i < 2; ++i) {
      if (waiting[i].revents == 0) continue;
      char buffer[4096];
      const ssize_t count = read(waiting[i].fd, buffer, sizeof buffer);
      if (count > 0) to[i]->append(buffer, size_t(count));
      else if (count == 0 || errno != EINTR) {
        waiting[i].fd = -1;
        --open;
      }
    }
  }
}

} // namespace

child_outcome run_child(const std::filesystem::path& program, const std::vector<std::string>& arguments) {
  pipe_ends out, err;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.out, STDERR_FILENO);
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t id = -1;
  const int failed = posix_spawn(&id, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) throw run_error(program.string() + ": cannot be started: " + std::strerror(failed));
  out.close_out();
  err.close_out();
  child_outcome outcome;
  collect(out, outcome.out, err, outcome.err);
  int status = 0;
  while (waitpid(id, &status, 0) < 0 && errno == EINTR) {}
  outcome.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return outcome;
}

std::filesystem::path program_beside(const std::string& name) {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
}

} // namespace troupe
