#include "actors/testing/simulated_nodes.hpp"

#include "actors/cluster/network.hpp"
#include "actors/supervision/supervisor_core.hpp" // send_kill
#include "actors/tree/worker.hpp"

#include <deque>
#include <map>
#include <set>
#include <utility>

namespace troupe::testing {
namespace {

/// Stands for an actor beyond a link.
class link_proxy : public caf::monitorable_actor {
public:
  link_proxy(caf::actor_config& config, caf::strong_actor_ptr target, std::shared_ptr<simulated_link> link)
      : monitorable_actor(config), target_(std::move(target)), link_(std::move(link)) {}

  using caf::monitorable_actor::enqueue;
  void enqueue(caf::mailbox_element_ptr element, caf::execution_unit*) override;
  void on_destroy() override {
    target_ = nullptr;
    link_ = nullptr;
  }
  const caf::strong_actor_ptr& target() const { return target_; }

private:
  caf::strong_actor_ptr target_;
  std::shared_ptr<simulated_link> link_;
};

} // namespace

class simulated_link : public std::enable_shared_from_this<simulated_link> {
public:
  explicit simulated_link(caf::actor_system& system) : system_(system) {}

  /// The handle by which the other end knows this actor.
  caf::strong_actor_ptr proxy_of(const caf::strong_actor_ptr& actor) {
    if (!actor || !is_up_) return nullptr;
    // Back where it came from.
    if (auto* proxy = dynamic_cast<link_proxy*>(caf::actor_cast<caf::abstract_actor*>(actor))) return proxy->target();
    const auto known = proxies_.find(actor->id());
    if (known != proxies_.end())
      if (auto proxy = known->second.lock()) return proxy;
    caf::actor_config config;
    auto made = caf::make_actor<link_proxy, caf::actor>(system_.next_actor_id(), system_.node(), &system_, config, actor,
                                                        shared_from_this());
    auto proxy = caf::actor_cast<caf::strong_actor_ptr>(made);
    proxies_[actor->id()] = caf::actor_cast<caf::weak_actor_ptr>(proxy);
    caf::actor_cast<caf::abstract_actor*>(actor)->attach_functor([address = proxy->address()](const caf::error& why) {
      if (auto strong = caf::actor_cast<caf::strong_actor_ptr>(address))
        static_cast<link_proxy*>(caf::actor_cast<caf::abstract_actor*>(strong))->cleanup(caf::error{why}, nullptr);
    });
    return proxy;
  }

  void pass(const caf::strong_actor_ptr& to, caf::mailbox_element_ptr element) {
    if (!is_up_) return;
    const auto sender = proxy_of(element->sender);
    auto content = element->copy_content_to_message();
    if (content.size() == 2 && content.match_element<caf::strong_actor_ptr>(1)) {
      auto& handle = content.get_mutable_as<caf::strong_actor_ptr>(1);
      handle = proxy_of(handle);
    }
    auto translated = caf::make_mailbox_element(sender, element->mid, {}, std::move(content));
    if (is_stalled) held_.emplace_back(to, std::move(translated));
    else deliver(to, std::move(translated));
  }

  void go_on() {
    is_stalled = false;
    for (auto& [to, element] : std::exchange(held_, {})) deliver(to, std::move(element));
  }

  void cut() {
    if (!std::exchange(is_up_, false)) return;
    held_.clear();
    for (const auto& [id, weak] : std::exchange(proxies_, {}))
      if (auto proxy = weak.lock())
        static_cast<link_proxy*>(caf::actor_cast<caf::abstract_actor*>(proxy))
          ->cleanup(caf::make_error(caf::exit_reason::remote_link_unreachable), nullptr);
  }

  bool is_up() const { return is_up_; }
  bool is_stalled = false;
  caf::timespan delay{0};

private:
  void deliver(const caf::strong_actor_ptr& to, caf::mailbox_element_ptr element) {
    auto& clock = system_.clock();
    // In order, also when the delay changes.
    const auto due = std::max(clock.now() + delay, latest_ + caf::timespan(1));
    if (delay == caf::timespan(0) && latest_ <= clock.now()) return to->enqueue(std::move(element), nullptr);
    latest_ = due;
    clock.schedule_message(due, to, std::move(element));
  }

  caf::actor_system& system_;
  std::map<caf::actor_id, caf::weak_actor_ptr> proxies_;
  std::deque<std::pair<caf::strong_actor_ptr, caf::mailbox_element_ptr>> held_;
  caf::actor_clock::time_point latest_{};
  bool is_up_ = true;
};

namespace {

void link_proxy::enqueue(caf::mailbox_element_ptr element, caf::execution_unit*) {
  if (link_ && target_) link_->pass(target_, std::move(element));
}

} // namespace

simulated_nodes::simulated_nodes(std::shared_ptr<const model_parts> model, uint32_t computing, bool has_spare)
    : model_(std::move(model)), computing_(computing), nodes_(computing + has_spare) {}

simulated_nodes::~simulated_nodes() = default;

std::shared_ptr<const cluster_tree> simulated_nodes::tree(uint64_t cache_positions_max) {
  using namespace std::chrono_literals;
  auto tree = std::make_shared<cluster_tree>();
  auto& placing = tree->cluster.placing;
  placing.layers = uint32_t(model_->spec.layers.size());
  placing.encoder_layers = model_->spec.encoder ? uint32_t(model_->spec.encoder->layers.size()) : 0;
  placing.segments = usable_segments(computing_, placing);
  placing.start_patience_ns = caf::timespan(10s).count();
  placing.return_patience_ns = caf::timespan(2s).count();
  tree->cluster.model.set_cache_positions_max(cache_positions_max);
  for (uint32_t i = 0; i < nodes_.size(); ++i) {
    worker_link_config link;
    link.worker = std::to_string(i);
    link.port = uint16_t(i);
    link.pings_max = 400;
    link.connect = [this](worker_link_actor::pointer, const std::string&, uint16_t port, const auto& connected, const auto&) {
      connect(port, connected);
    };
    tree->links.push_back(std::move(link));
    tree->cluster.workers.push_back(std::to_string(i));
  }
  return tree;
}

void simulated_nodes::connect(uint32_t index, const std::function<void(const worker_actor&)>& connected) {
  auto& one = nodes_.at(index);
  auto& system = sim_->system();
  if (!one.worker) {
    worker_config config;
    config.facts.set_incarnation(++incarnations_);
    config.facts.set_threads(1);
    config.parts = model_;
    config.own_threads = false;
    config.hook = [&one](child_spec& spec) {
      spec.start = [&one, start = spec.start](caf::scheduled_actor* parent, const std::string& path, const caf::message& args) {
        auto started = start(parent, path, args);
        one.actors.push_back(caf::actor_cast<caf::weak_actor_ptr>(started));
        return started;
      };
    };
    one.worker = system.spawn(worker, std::move(config));
  }
  auto link = std::make_shared<simulated_link>(system);
  std::erase_if(one.links, [](const auto& former) { return !former->is_up(); });
  one.links.push_back(link);
  connected(caf::actor_cast<worker_actor>(link->proxy_of(caf::actor_cast<caf::strong_actor_ptr>(one.worker))));
}

void simulated_nodes::end(node& one) {
  for (const auto& link : std::exchange(one.links, {})) link->cut();
  if (one.worker) send_kill(caf::actor_cast<caf::strong_actor_ptr>(std::exchange(one.worker, nullptr)));
}

void simulated_nodes::disturb() {
  if (sim_->draw(300) != 0) return;
  auto& one = nodes_[sim_->draw(nodes_.size())];
  if (one.links.empty()) return;
  auto& link = *one.links[sim_->draw(one.links.size())];
  switch (sim_->draw(7)) {
  case 0:
    ++happened_.deaths;
    return end(one);
  case 1:
    ++happened_.breaks;
    return link.cut();
  case 2:
    if (link.is_up() && !link.is_stalled) ++happened_.stalls;
    link.is_stalled = link.is_up();
    return;
  case 3: {
    std::erase_if(one.actors, [](const auto& weak) { return weak.lock() == nullptr; });
    if (one.actors.empty()) return;
    ++happened_.kills;
    if (const auto victim = one.actors[sim_->draw(one.actors.size())].lock()) send_kill(victim);
    return;
  }
  case 4: link.delay = std::chrono::microseconds(sim_->draw(5000)); return;
  default: return link.go_on();
  }
}

void simulated_nodes::calm() {
  for (auto& one : nodes_)
    for (const auto& link : one.links) {
      link->go_on();
      link->delay = caf::timespan(0);
    }
}

void simulated_nodes::end() {
  for (auto& one : nodes_) end(one);
}

} // namespace troupe::testing
