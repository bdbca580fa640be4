#pragma once
// Which workers a command is to use: --workers, --spares and --cluster.
#include "actors/interfaces/cluster_options.hpp"
#include "apps/troupe/cli/options.hpp"
#include <filesystem>

namespace troupe {

/// Throws input_error for a file that is not acceptable.
cluster_options cluster_of(const run_options& options);

/// A file that names the nodes of a cluster (docs/cluster.md), read strictly:
///
///   {"keys": "keys", "name": "coordinator", "spares": 1, "mixed_arithmetic": false,
///    "nodes": [{"name": "east", "host": "10.0.0.2", "port": 7070}]}
///
/// `nodes` is needed, and `keys`, which is relative to the file. Throws input_error, which names the file and what is wrong.
cluster_options read_cluster_file(const std::filesystem::path& path);

} // namespace troupe
