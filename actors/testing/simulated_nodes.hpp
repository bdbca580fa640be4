#pragma once
// Worker processes and the links to them, in simulation: the real actors of workers in the same actor system, and between them and those of
// the coordinator links that may be slow, stall, or break, and processes that die and are started again.
//
// A link is what CAF's network layer is to actors: handles that cross it are those of proxies; messages keep their order; when it breaks,
// whoever monitors an actor beyond it is told, and nothing passes any more.
#include "actors/testing/simulation.hpp"
#include "actors/tree/cluster_tree.hpp"
#include "model/parts.hpp"
#include <cstdint>
#include <memory>
#include <vector>

namespace troupe::testing {

class simulated_link;

class simulated_nodes {
public:
  /// `computing` nodes and one spare, for this model.
  simulated_nodes(std::shared_ptr<const model_parts> model, uint32_t computing, bool has_spare);
  ~simulated_nodes();
  simulated_nodes(const simulated_nodes&) = delete;
  simulated_nodes& operator=(const simulated_nodes&) = delete;

  /// For troupe_config::cluster. Refers to this object, which outlives the troupe.
  std::shared_ptr<const cluster_tree> tree(uint64_t cache_positions_max);
  /// Where the workers are started. Before the first of them is asked for.
  void begin(simulation& in) { sim_ = &in; }

  /// Called before a step: now and then a process dies, or an actor in one, a link breaks, stalls, goes on or becomes slow. All of it
  /// is drawn from the simulation.
  void disturb();
  /// This process dies.
  void end_process(uint32_t index) { end(nodes_.at(index)); }
  /// From now on nothing happens to them, and links that stall go on.
  void calm();
  /// Ends all processes.
  void end();

  struct counts {
    uint64_t deaths = 0, breaks = 0, stalls = 0, kills = 0;
  };
  const counts& happened() const { return happened_; }

private:
  struct node {
    worker_actor worker; // Null: the process does not run. The next connection starts it.
    std::vector<std::shared_ptr<simulated_link>> links;
    std::vector<caf::weak_actor_ptr> actors; // That were started for its placements.
  };
  void connect(uint32_t index, const std::function<void(const worker_actor&)>& connected);
  void end(node& one);

  std::shared_ptr<const model_parts> model_;
  uint32_t computing_;
  simulation* sim_ = nullptr;
  std::vector<node> nodes_;
  uint64_t incarnations_ = 0;
  counts happened_;
};

} // namespace troupe::testing
