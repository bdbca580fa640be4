#include "actors/tree/placement_tree.hpp"

#include "actors/cluster/layer_host.hpp"
#include "actors/interfaces/paths.hpp"
#include "actors/tree/replica.hpp"
#include "actors/tree/root.hpp"

#include <utility>
#include <vector>

namespace troupe {
namespace {

std::vector<child_spec> placement_children(const placement_tree_config& config, const directory_actor& directory, const child_hook& hook) {
  const replica_config replica{config.replica, config.model, config.cache_positions_max, config.verify_caches, hook};
  std::vector<child_spec> children;
  layer_host_config hosting;
  hosting.placement = config.placement;
  hosting.first_layer = config.layers.first;
  hosting.owner = config.owner;
  hosting.directory = directory;
  for (uint32_t i = config.layers.first; i < config.layers.first + config.layers.count; ++i) {
    auto actors = layer_actor_paths(replica, config.of_encoder, i);
    hosting.layers.push_back(actors.front());
    hosting.actors.insert(hosting.actors.end(), actors.begin(), actors.end());
  }
  for (uint32_t i = 0; i < config.layers.count; ++i) {
    const std::string& next = i + 1 < config.layers.count ? hosting.layers[i + 1] : paths::scheduler;
    children.push_back(layer_child(replica, config.of_encoder, config.layers.first + i, next, directory));
  }
  child_spec host{paths::scheduler, [hosting](caf::scheduled_actor* parent, const std::string&, const caf::message&) {
                    return caf::actor_cast<caf::strong_actor_ptr>(parent->spawn(layer_host, hosting));
                  }};
  children.insert(children.begin(), hooked(std::move(host), hook));
  return children;
}

} // namespace

root_actor spawn_placement_root(caf::actor_system& system, placement_tree_config config) {
  auto log = config.log;
  auto of_all = config.hook;
  auto children = [config = std::move(config)](const directory_actor& directory, const child_hook& hook) {
    return placement_children(config, directory, hook);
  };
  return spawn_root(system, std::move(of_all), std::move(children), std::move(log));
}

} // namespace troupe
