#pragma once
// A worker as a child process.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace troupe {

/// The line by which a worker says that it is ready, on stdout; the address follows.
inline const std::string worker_announcement = "troupe worker listens at ";

/// Owns a process and the pipes to it. The process ends when its stdin does, so it does not outlive this one, however that ends; and it is
/// killed by the destructor. Nothing blocks, but the destructor for as long as the system takes to end a process that was killed.
class worker_process {
public:
  /// Throws input_error when the program cannot be started.
  worker_process(const std::filesystem::path& program, const std::vector<std::string>& arguments);
  worker_process(const worker_process&) = delete;
  worker_process& operator=(const worker_process&) = delete;
  ~worker_process();

  pid_t id() const { return id_; }
  /// The port at which it listens, once it has said so.
  std::optional<uint16_t> port();
  /// How it ended, for a person; nothing while it runs.
  std::optional<std::string> end();
  /// It was stopped by a signal, or is being debugged: it does nothing, and it is not for want of processors.
  bool is_stopped() const;

private:
  pid_t id_ = -1;
  int in_ = -1, out_ = -1; // Ends of the pipes to its stdin and from its stdout.
  std::string said_;
  std::optional<uint16_t> port_;
  std::optional<std::string> end_;
};

} // namespace troupe
