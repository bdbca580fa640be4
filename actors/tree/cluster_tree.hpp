#pragma once
// What an engine with workers has in place of its layers.
#include "actors/cluster/cluster.hpp"
#include "actors/cluster/worker_link.hpp"
#include "actors/interfaces/cluster_options.hpp"
#include "actors/interfaces/log.hpp"
#include "actors/supervision/child_spec.hpp"
#include "model/parts.hpp"
#include <filesystem>
#include <vector>

namespace troupe {

/// The actors that know the workers.
struct cluster_tree {
  cluster_config cluster; // Directories, here and in the links, are filled in when they start.
  std::vector<worker_link_config> links;
};

/// For a model of which the ends alone are in this process. `cut`: how its parts were made; `keys`: the folder of those that local workers
/// get; `threads`: of all local workers that compute, together. Reads all layers of the model once, to know their hashes. Throws
/// input_error.
cluster_tree make_cluster_tree(const model_parts& model, const partition& cut, const cluster_options& options,
                               const std::filesystem::path& keys, uint32_t threads, const log_function& log);

/// /cluster, and /cluster/worker/NAME for each worker.
void add_cluster(std::vector<child_spec>& children, const cluster_tree& tree, const directory_actor& directory, const child_hook& hook);

} // namespace troupe
