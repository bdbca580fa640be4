#pragma once
// Worker processes that compute a model's layers, on this machine or on others (docs/cluster.md).
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace troupe {

/// A worker that somebody else has started: `troupe worker --listen HOST:PORT`.
struct cluster_node {
  std::string name; // As the coordinator calls it.
  std::string host;
  uint16_t port = 0;
};

/// Without a local worker and without a node there is no cluster: all layers are in this process.
struct cluster_options {
  // Processes of this machine, which the engine starts, watches and ends, and which only it can reach. They share the engine's threads.
  uint32_t local_workers = 0; // That compute,
  uint32_t local_spares = 0;  // and that wait, with all weights loaded, for one of those to fail.
  std::filesystem::path program = {}; // `troupe`; empty: the program that runs, which then has to be it.
  // Workers at addresses. How many of them do not compute, unless another fails:
  std::vector<cluster_node> nodes = {};
  uint32_t node_spares = 0;
  std::filesystem::path keys = {}; // A folder of `troupe cluster keys`: for nodes; with a certificate of the name
  std::string name = "coordinator"; // by which this end is known.
  bool mixed_arithmetic = false; // Nodes may have another instruction set than this process. Their results are meant to be the same to the
                                 // bit, and tests of all kernels compare them, but only "the same on each" is a promise.
  std::chrono::seconds start_max{120}; // All layers are placed within this time, or the engine does not start.

  uint32_t workers() const { return local_workers + local_spares + uint32_t(nodes.size()); }
  /// Those that compute.
  uint32_t segments() const { return local_workers + uint32_t(nodes.size()) - std::min<uint32_t>(node_spares, uint32_t(nodes.size())); }
};

} // namespace troupe
