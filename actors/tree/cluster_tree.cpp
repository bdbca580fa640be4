#include "actors/tree/cluster_tree.hpp"

#include "actors/cluster/network.hpp"
#include "actors/interfaces/paths.hpp"
#include "model/description_hash.hpp"
#include "model/error.hpp"
#include "model/kernels/isa.hpp"
#include "model/parts/layer_hash.hpp"

#include <algorithm>
#include <random>
#include <utility>

namespace troupe {
namespace {

uint64_t random_number() {
  std::random_device random;
  return uint64_t(random()) << 32 | random();
}

worker_link_config local_worker(const std::string& name, const cluster_options& options, const std::filesystem::path& keys,
                                uint32_t threads) {
  worker_link_config link;
  link.worker = name;
  const auto program = options.program.empty() ? std::filesystem::path("/proc/self/exe") : options.program;
  const std::vector<std::string> arguments{"worker", "--listen", "127.0.0.1:0", "--name", name, "--keys", keys.string(),
                                           "--threads", std::to_string(threads), "--until-end-of-input", "--quiet"};
  link.start = [program, arguments] { return std::make_unique<worker_process>(program, arguments); };
  return link;
}

} // namespace

cluster_tree make_cluster_tree(const model_parts& model, const partition& cut, const cluster_options& options,
                               const std::filesystem::path& keys, uint32_t threads, const log_function& log) {
  using namespace std::chrono_literals;
  const auto& file = *model.file;
  if (file.path.empty()) throw input_error("a model without a file cannot be computed by workers");
  cluster_tree tree;
  auto& cluster = tree.cluster;
  cluster.placing.layers = uint32_t(model.spec.layers.size());
  cluster.placing.encoder_layers = model.spec.encoder ? uint32_t(model.spec.encoder->layers.size()) : 0;
  cluster.placing.segments = usable_segments(options.segments(), cluster.placing);
  cluster.placing.start_patience_ns = caf::timespan(10s).count();
  cluster.placing.return_patience_ns = caf::timespan(5s).count();
  auto& use = cluster.model;
  use.set_path(std::filesystem::absolute(file.path).string());
  use.set_identity(description_hash(file));
  use.set_cached(uint32_t(cut.cached));
  use.set_as_q8_0(cut.as_q8_0);
  use.set_kept_sums(uint32_t(cut.keep));
  cluster.layer_hashes = layer_hashes(file.tensors);
  if (file.tensors.encoder) cluster.encoder_layer_hashes = layer_hashes(*file.tensors.encoder);
  cluster.first_placement = random_number() >> 2; // Each start of the cluster's actor adds 2^32.
  cluster.log = log;

  const uint32_t each = std::max(1u, threads / std::max(1u, options.local_workers));
  for (uint32_t i = 0; i < options.local_workers + options.local_spares; ++i)
    tree.links.push_back(local_worker("local-" + std::to_string(i), options, keys, each));
  for (const auto& node : options.nodes) {
    worker_link_config link;
    link.worker = node.name;
    link.host = node.host;
    link.port = node.port;
    tree.links.push_back(std::move(link));
  }
  for (auto& link : tree.links) {
    link.connect = connect;
    link.arithmetic = options.mixed_arithmetic ? "" : current_isa();
    link.log = log;
    cluster.workers.push_back(link.worker);
  }
  return tree;
}

void add_cluster(std::vector<child_spec>& children, const cluster_tree& tree, const directory_actor& directory, const child_hook& hook) {
  auto deciding = tree.cluster;
  deciding.directory = directory;
  children.push_back(hooked({.path = paths::cluster,
                             .start =
                               [deciding](caf::scheduled_actor* parent, const std::string&, const caf::message&) mutable {
                                 deciding.first_placement += uint64_t(1) << 32; // No number of an earlier incarnation.
                                 return caf::actor_cast<caf::strong_actor_ptr>(parent->spawn(cluster, deciding));
                               },
                             .answers_liveness_checks = true},
                            hook));
  for (auto link : tree.links) {
    link.directory = directory;
    children.push_back(hooked({.path = paths::worker_link(link.worker),
                               .start =
                                 [link](caf::scheduled_actor* parent, const std::string&, const caf::message&) {
                                   return caf::actor_cast<caf::strong_actor_ptr>(parent->spawn(worker_link, link));
                                 },
                               .answers_liveness_checks = true},
                              hook));
  }
}

} // namespace troupe
