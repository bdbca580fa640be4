#include "actors/tree/worker.hpp"

#include "actors/cluster/network.hpp"
#include "actors/supervision/failure.hpp"
#include "actors/supervision/supervisor_core.hpp" // send_kill
#include "actors/tree/placement_tree.hpp"
#include "model/description_hash.hpp"
#include "model/error.hpp"
#include "model/parts/layer_hash.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace troupe {
namespace {

using worker_pointer = worker_actor::stateful_pointer<worker_state>;

std::string layers_text(const v1::LayerRange& layers) {
  return std::string(layers.of_encoder() ? "encoder layers " : "layers ") + std::to_string(layers.first()) + " to "
         + std::to_string(layers.first() + layers.count() - 1);
}

/// Throws input_error.
std::shared_ptr<const model_file> open(worker_pointer self, const v1::ModelUse& use) {
  auto& st = self->state;
  const std::string path = st.config.model.empty() ? use.path() : st.config.model;
  if (!st.model || st.open_path != path) {
    st.model = nullptr;
    st.kept.clear();
    st.model = open_model(path);
    st.open_path = path;
  }
  if (description_hash(*st.model) != use.identity()) throw input_error(path + ": this is not the model of the coordinator");
  return st.model;
}

bool is_same_use(const v1::ModelUse& a, const v1::ModelUse& b) {
  return a.identity() == b.identity() && a.cached() == b.cached() && a.as_q8_0() == b.as_q8_0() && a.kept_sums() == b.kept_sums();
}

void require_hashes(const model_file& model, const v1::LayerRange& layers) {
  const auto& stack = layers.of_encoder() ? *model.tensors.encoder : static_cast<const stack_tensors&>(model.tensors);
  for (int i = 0; i < layers.hashes_size(); ++i)
    if (layer_hash(stack.layers.at(layers.first() + uint32_t(i))) != layers.hashes(i))
      throw input_error(model.path.string() + ": layer " + std::to_string(layers.first() + uint32_t(i))
                        + " is not that of the coordinator's model");
}

/// Weights that no placement uses and that are of no use for `use`.
void forget_others(worker_state& st, const v1::ModelUse& use) {
  std::erase_if(st.kept, [&](const auto& one) { return one.parts.use_count() == 1 && !is_same_use(one.use, use); });
}

std::shared_ptr<const model_parts> read(worker_pointer self, const v1::LayerRange& layers, range wanted, const v1::ModelUse& use) {
  auto& st = self->state;
  const auto model = open(self, use);
  const uint64_t there = layers.of_encoder() ? (model->spec.encoder ? model->spec.encoder->layers.size() : 0) : model->spec.layers.size();
  if (uint64_t(wanted.first) + wanted.count > there || wanted.count == 0)
    throw input_error(st.open_path + " has no " + layers_text(layers));
  require_hashes(*model, layers);
  forget_others(st, use);
  partition cut{.shards = st.config.shards, .cached = cache_type(use.cached()), .as_q8_0 = use.as_q8_0()};
  cut.keep = kept_sums(use.kept_sums());
  cut.only = {.ends = false, .layers = {0, 0}, .encoder_layers = {0, 0}};
  (layers.of_encoder() ? cut.only.encoder_layers : cut.only.layers) = wanted;
  return make_parts(model, cut, st.config.run_jobs);
}

/// Throws input_error, std::bad_alloc.
std::shared_ptr<const model_parts> load(worker_pointer self, const v1::LayerRange& layers, const v1::ModelUse& use) {
  auto& st = self->state;
  if (st.config.parts) return st.config.parts;
  const range wanted{layers.first(), layers.count()};
  const std::vector<uint64_t> hashes(layers.hashes().begin(), layers.hashes().end());
  const auto is_wanted = [&](const auto& one) {
    return one.of_encoder == layers.of_encoder() && one.layers == wanted && one.hashes == hashes && is_same_use(one.use, use);
  };
  if (const auto known = std::ranges::find_if(st.kept, is_wanted); known != st.kept.end()) return known->parts;
  try {
    auto parts = read(self, layers, wanted, use);
    st.kept.push_back({parts, layers.of_encoder(), wanted, hashes, use});
    write_log(st.config.log, log_level::info, "loaded " + layers_text(layers) + " of " + st.open_path);
    return parts;
  } catch (...) {
    st.model = nullptr; // The file was replaced or overwritten, perhaps: the next attempt opens it again.
    throw;
  }
}

void end(worker_pointer self, const worker_state::placed& one) {
  if (one.owner) self->demonitor(one.owner->address());
  self->send_exit(one.root, caf::exit_reason::user_shutdown);
}

void refuse(worker_pointer self, const remote_layers_actor& owner, uint64_t placement, const std::string& reason) {
  write_log(self->state.config.log, log_level::warning, "refused: " + reason);
  v1::PlacementRefused refusal;
  refusal.set_placement(placement);
  refusal.set_reason(reason);
  self->send(owner, std::move(refusal));
}

void place(worker_pointer self, const v1::Placement& order, const caf::strong_actor_ptr& from) {
  auto& st = self->state;
  const auto owner = caf::actor_cast<remote_layers_actor>(from);
  if (!owner) return;
  // A stage has one placement at a time.
  const auto former = std::ranges::find_if(st.placements, [&](const auto& one) { return one.owner == owner; });
  if (former != st.placements.end()) {
    end(self, *former);
    st.placements.erase(former);
  }
  std::string why;
  try {
    placement_tree_config tree{.model = load(self, order.layers(), order.model()),
                               .replica = order.segment().replica(),
                               .of_encoder = order.layers().of_encoder(),
                               .layers = {order.layers().first(), order.layers().count()},
                               .cache_positions_max = order.model().cache_positions_max(),
                               .verify_caches = order.model().verify_caches(),
                               .placement = order.placement(),
                               .owner = owner,
                               .hook = st.config.hook,
                               .log = st.config.log};
    self->monitor(owner);
    st.placements.push_back({owner, spawn_placement_root(self->system(), std::move(tree))});
    return;
  } catch (const std::bad_alloc&) {
    why = "out of memory";
  } catch (const std::exception& error) {
    why = error.what();
  }
  refuse(self, owner, order.placement(), why);
}

void preload(worker_pointer self, const v1::PreloadLayers& order) {
  try {
    for (const auto& layers : order.layers()) load(self, layers, order.model());
  } catch (const std::exception& error) {
    write_log(self->state.config.log, log_level::warning, "could not load beforehand: " + std::string(error.what()));
  }
}

void greet(worker_pointer self, const v1::Greeting& greeting, const caf::strong_actor_ptr& from) {
  const auto link = caf::actor_cast<worker_link_actor>(from);
  if (!link) return;
  if (greeting.protocol() != cluster_protocol) {
    v1::WorkerRefusal refusal;
    refusal.set_reason("it speaks protocol " + std::to_string(cluster_protocol) + " (troupe " + self->state.config.facts.version()
                       + "), the coordinator " + std::to_string(greeting.protocol()) + " (troupe " + greeting.version() + ")");
    return self->send(link, std::move(refusal));
  }
  self->send(link, self->state.config.facts, caf::actor_cast<caf::strong_actor_ptr>(self->state.pulse));
}

pulse_actor::behavior_type pulse(pulse_actor::pointer self) {
  return {[self](const v1::NodePing& ping) {
    v1::NodePong pong;
    pong.set_number(ping.number());
    if (const auto to = asker_of<v1::NodePong>(self)) self->send(to, std::move(pong));
  }};
}

} // namespace

worker_state::~worker_state() {
  for (const auto& one : placements) send_kill(caf::actor_cast<caf::strong_actor_ptr>(one.root));
  if (pulse) send_kill(caf::actor_cast<caf::strong_actor_ptr>(pulse));
}

worker_actor::behavior_type worker(worker_pointer self, worker_config config) {
  report_exceptions(self);
  self->state.config = std::move(config);
  auto& system = self->system();
  self->state.pulse = self->state.config.own_threads ? system.spawn<caf::detached>(pulse) : system.spawn(pulse);
  self->set_down_handler([self](const caf::down_msg& down) {
    auto& all = self->state.placements;
    const auto ended = std::ranges::find_if(all, [&](const auto& one) { return one.owner->address() == down.source; });
    if (ended == all.end()) return;
    end(self, *ended);
    all.erase(ended);
  });
  return {
    [self](const v1::Greeting& greeting, const caf::strong_actor_ptr& from) { greet(self, greeting, from); },
    [self](const v1::Placement& order, const caf::strong_actor_ptr& from) { place(self, order, from); },
    [self](const v1::PreloadLayers& order) { preload(self, order); },
  };
}

} // namespace troupe
