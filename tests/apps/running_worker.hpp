#pragma once
// Workers in processes of their own, for tests of links to them.
#include "actors/cluster/keys.hpp"
#include "actors/cluster/worker_process.hpp"
#include "actors/engine.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace troupe::testing {

/// A folder with keys, which goes with this object.
struct keys_folder {
  std::filesystem::path path;
  keys_folder(const std::vector<std::string>& nodes, const make_keys_options& options = {}) {
    std::string name = (std::filesystem::temp_directory_path() / "troupe-test-keys-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()));
    path = name;
    make_keys(path, nodes, options);
  }
  ~keys_folder() { std::filesystem::remove_all(path); }
};

/// A worker in a process of its own, and where it listens.
struct running_worker {
  worker_process process;
  uint16_t port = 0;
  explicit running_worker(const std::filesystem::path& keys, const std::vector<std::string>& more = {})
      : process(TROUPE_PROGRAM, arguments(keys, more)) {
    for (int tries = 0; port == 0 && tries < 4000; ++tries, std::this_thread::sleep_for(std::chrono::milliseconds(5)))
      if (const auto said = process.port()) port = *said;
    REQUIRE(port > 0);
  }
  static std::vector<std::string> arguments(const std::filesystem::path& keys, const std::vector<std::string>& more) {
    std::vector<std::string> all{"worker", "--listen", "127.0.0.1:0", "--name", "node",
                                 "--keys", keys.string(), "--quiet", "--until-end-of-input"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
};

/// One worker, at that port of this machine.
inline cluster_options at_port(uint16_t port, const std::filesystem::path& keys) {
  cluster_options cluster;
  cluster.nodes = {{"node", "127.0.0.1", port}};
  cluster.keys = keys;
  cluster.start_max = std::chrono::seconds(20);
  return cluster;
}

inline engine_options one_thread() {
  engine_options options;
  options.threads = 1;
  return options;
}

} // namespace troupe::testing
