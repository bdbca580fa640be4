#include "actors/cluster/worker_process.hpp"

#include "model/error.hpp"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace troupe {
namespace {

/// A pipe whose ends other children do not inherit.
struct pipe_ends {
  int read = -1, write = -1;
  pipe_ends() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw input_error("cannot start a worker: " + std::string(std::strerror(errno)));
    read = ends[0];
    write = ends[1];
  }
};

void close_end(int& end) {
  if (end >= 0) close(end);
  end = -1;
}

std::string describe(int status) {
  if (WIFSIGNALED(status)) return "it was ended by signal " + std::to_string(WTERMSIG(status)) + " (" + strsignal(WTERMSIG(status)) + ")";
  return "it ended with exit code " + std::to_string(WEXITSTATUS(status));
}

} // namespace

worker_process::worker_process(const std::filesystem::path& program, const std::vector<std::string>& arguments) {
  pipe_ends in, out;
  std::string path = program.string();
  std::vector<std::string> words{path};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.write, STDOUT_FILENO);
  // A group of its own, so that Ctrl-C reaches the coordinator only; no signal blocked, whatever thread starts it.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setpgroup(&attributes, 0);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  const int failed = posix_spawn(&id_, path.c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close_end(in.read);
  close_end(out.write);
  in_ = in.write;
  out_ = out.read;
  if (failed != 0) {
    close_end(in_);
    close_end(out_);
    throw input_error(path + ": cannot be started: " + std::strerror(failed));
  }
  fcntl(out_, F_SETFL, O_NONBLOCK);
}

worker_process::~worker_process() {
  close_end(in_);
  close_end(out_);
  if (end_) return;
  kill(id_, SIGKILL);
  int status = 0;
  while (waitpid(id_, &status, 0) < 0 && errno == EINTR) {}
}

std::optional<uint16_t> worker_process::port() {
  if (port_) return port_;
  char bytes[512];
  for (ssize_t n = 0; (n = read(out_, bytes, sizeof bytes)) > 0 && said_.size() < 4096;) said_.append(bytes, size_t(n));
  const auto line = said_.find(worker_announcement);
  const auto end = line == std::string::npos ? line : said_.find('\n', line);
  if (end == std::string::npos) return std::nullopt;
  const auto colon = said_.rfind(':', end);
  uint16_t number = 0;
  std::from_chars(said_.data() + colon + 1, said_.data() + end, number);
  if (number > 0) port_ = number;
  return port_;
}

std::optional<std::string> worker_process::end() {
  int status = 0;
  if (!end_ && waitpid(id_, &status, WNOHANG) == id_) end_ = describe(status);
  return end_;
}

bool worker_process::is_stopped() const {
  std::ifstream file("/proc/" + std::to_string(id_) + "/stat");
  std::string text;
  std::getline(file, text);
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= text.size()) return false;
  const char state = text[name_end + 2];
  return state == 'T' || state == 't';
}

} // namespace troupe
