#pragma once
// A worker process: what `troupe worker` runs. Layers of models compute in it for coordinators: engines with cluster_options.
#include "actors/cluster/keys.hpp"
#include "actors/interfaces/log.hpp"
#include <cstdint>
#include <memory>
#include <string>

namespace troupe {

struct worker_node_options {
  std::string host = "127.0.0.1"; // Where it listens; empty: everywhere.
  uint16_t port = 0;              // 0: any free one.
  node_keys keys;                 // Whoever has keys of the same authority may have anything computed here.
  uint32_t threads = 0;           // 0: as many as usable_processors().
  bool pin_threads = false;
  std::string model = {};         // A file or folder, instead of the one that coordinators name.
  log_function log = {};
};

/// Serves coordinators until it is destroyed. Throws input_error for keys or an address that cannot be used, std::system_error when threads
/// cannot be created.
class worker_node {
public:
  explicit worker_node(worker_node_options options);
  ~worker_node();
  worker_node(const worker_node&) = delete;
  worker_node& operator=(const worker_node&) = delete;

  /// At which it listens.
  uint16_t port() const;
  /// It can serve nobody any more: a bug. What runs it ends the process, as a crash would, and coordinators notice.
  bool has_ended() const;
  /// Ends all actors, as the destructor does. Returns how many did not end.
  size_t stop();

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace troupe
