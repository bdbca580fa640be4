#include "apps/troupe/cli/cluster_file.hpp"

#include "actors/cluster/keys.hpp"
#include "model/formats/json.hpp"

#include <set>

namespace troupe {

cluster_options read_cluster_file(const std::filesystem::path& path) {
  const json_file file(path, read_text(path, 1 << 20), true);
  const auto root = file.root();
  root.require_only({"keys", "name", "nodes", "spares", "mixed_arithmetic", "start_seconds"});
  cluster_options cluster;
  cluster.keys = path.parent_path() / root.get("keys").text();
  cluster.name = root.text_or("name", cluster.name);
  cluster.mixed_arithmetic = root.flag_or("mixed_arithmetic", false);
  if (const auto seconds = root.find("start_seconds")) cluster.start_max = std::chrono::seconds(seconds->natural(86400));
  std::set<std::string> names;
  for (const auto& one : root.get("nodes").elements()) {
    one.require_only({"name", "host", "port"});
    cluster_node node{one.get("name").text(), one.get("host").text(), uint16_t(one.get("port").natural(65535))};
    keys_in(cluster.keys, node.name); // Whether it can be a node's name.
    if (!names.insert(node.name).second) one.get("name").fail("two nodes have this name");
    if (node.port == 0) one.get("port").fail("a port is 1 to 65535");
    cluster.nodes.push_back(std::move(node));
  }
  if (cluster.nodes.empty()) root.get("nodes").fail("there are no nodes");
  if (const auto spares = root.find("spares")) {
    cluster.node_spares = uint32_t(spares->natural(64));
    if (cluster.node_spares >= cluster.nodes.size()) spares->fail("one node has to compute");
  }
  require_usable(keys_in(cluster.keys, cluster.name));
  return cluster;
}

cluster_options cluster_of(const run_options& options) {
  if (!options.cluster.empty()) return read_cluster_file(options.cluster);
  cluster_options local;
  local.local_workers = options.workers;
  local.local_spares = options.spares;
  return local;
}

} // namespace troupe
