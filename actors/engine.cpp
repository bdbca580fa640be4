#include "actors/engine.hpp"

#include "actors/faults/plan.hpp"
#include "actors/cluster/local_keys.hpp"
#include "actors/interfaces/cluster_roles.hpp"
#include "actors/interfaces/paths.hpp"
#include "actors/interfaces/roles.hpp"
#include "actors/interfaces/supervision.hpp"
#include "actors/requests/request_tracker.hpp"
#include "actors/supervision/failure.hpp"
#include "actors/supervision/supervisor_core.hpp"
#include "actors/threads/processors.hpp"
#include "actors/threads/signals_blocked.hpp"
#include "actors/threads/workers.hpp"
#include "actors/tree/root.hpp"
#include "actors/tree/root_relay.hpp"
#include "actors/tree/runtime.hpp"
#include "model/error.hpp"
#include "model/tokenizer/make_tokenizer.hpp"

#include <algorithm>
#include <functional>
#include <thread>
#include <unistd.h>

namespace troupe {
namespace {

using namespace std::chrono_literals;

constexpr uint32_t reused_block = 16; // To fork is cheap: heads share pages, and copy one at most. To compute a row is not.

uint64_t memory_bytes() { return uint64_t(sysconf(_SC_PHYS_PAGES)) * uint64_t(sysconf(_SC_PAGE_SIZE)); }

engine_options with_defaults(engine_options options, const model_parts& model) {
  if (options.sequences_max == 0) options.sequences_max = 1;
  options.step_rows_max = std::max(options.step_rows_max, 1u);
  options.prefill_chunk = std::max(options.prefill_chunk, 1u);
  options.replicas = std::max(options.replicas, 1u);
  const uint64_t longest = uint64_t(model.positions_max) + (model.encoder ? model.encoder->positions_max : 0);
  const uint64_t position_bytes = std::max<uint64_t>(cached_position_bytes(model.spec, *options.cached), 1);
  if (options.cache_bytes_max > 0) {
    const uint64_t positions = options.cache_bytes_max / position_bytes;
    options.cache_positions_max = options.cache_positions_max == 0 ? positions : std::min(options.cache_positions_max, positions);
  } else if (options.cache_positions_max == 0) {
    options.cache_positions_max = std::min<uint64_t>(16 * longest, memory_bytes() / 4 / position_bytes);
  }
  // One sequence of full length, with its source, always fits in each: without that there is no progress.
  options.cache_positions_max = std::max<uint64_t>(options.cache_positions_max, longest * options.replicas);
  return options;
}

kept_sums kept_by(const check_options& checks) {
  if (checks.products) return kept_sums::columns;
  return checks.weights ? kept_sums::words : kept_sums::none;
}

std::vector<std::string> local_names(const cluster_options& options) {
  std::vector<std::string> names{options.name};
  for (uint32_t i = 0; i < options.local_workers + options.local_spares; ++i) names.push_back("local-" + std::to_string(i));
  return names;
}

/// For workers that the engine starts itself. Null without any.
std::unique_ptr<local_keys> keys_of_local_workers(const cluster_options& options) {
  if (options.local_workers + options.local_spares == 0) return nullptr;
  if (!options.nodes.empty()) throw input_error("workers of this machine and nodes of a cluster cannot be combined: start workers as nodes");
  return std::make_unique<local_keys>(local_names(options));
}

/// By which this process is known to workers; nothing without any.
std::optional<node_keys> keys_of(const cluster_options& options, const std::unique_ptr<local_keys>& local) {
  if (local) return keys_in(local->folder(), options.name);
  if (options.nodes.empty()) return std::nullopt;
  return keys_in(options.keys, options.name);
}

} // namespace

struct engine::state {
  engine_options options;
  cluster_options workers;
  std::unique_ptr<local_keys> keys; // Of local workers.
  std::shared_ptr<const tokenizer> words;
  std::shared_ptr<const model_parts> model;
  std::optional<node_keys> network; // With workers.
  runtime running; // Its root is `root`, or where that is a host's to replace: `relay`.
  std::optional<troupe_config> config; // In a host's system: for the next root.
  root_actor root;
  root_relay_actor relay;
  bool is_hosted = false;
  std::shared_ptr<const cluster_tree> cluster; // Null: all layers are here.
  size_t actors_min = 0; // How many the directory lists when no request is under way.

  state(const engine_options& asked, const cluster_options& cluster_asked)
    : options(asked), workers(cluster_asked), keys(keys_of_local_workers(workers)), network(keys_of(workers, keys)),
      running({.threads = asked.threads, .pin = asked.pin_threads}, asked.fault_plan, network ? &*network : nullptr) {}
  state(caf::actor_system& host, const engine_options& asked) : options(asked), running(host, asked.fault_plan), is_hosted(true) {}

  /// The present handle of the actor at `path`; null when it does not appear within 5 seconds.
  caf::strong_actor_ptr find(caf::scoped_actor& self, const std::string& path);
  v1::ActorList list(caf::scoped_actor& self);
  bool all_run(caf::scoped_actor& self);
  v1::ClusterFacts cluster_facts(caf::scoped_actor& self);
};

caf::strong_actor_ptr engine::state::find(caf::scoped_actor& self, const std::string& path) {
  self->send(running.root(), v1::FindDirectory{});
  caf::strong_actor_ptr found;
  bool timeout = false;
  std::string end; // Of the root; only who starts an engine monitors it.
  while (!found && !timeout && end.empty()) {
    self->receive(
      [&](const v1::ActorStarted& started, const caf::strong_actor_ptr& handle) {
        if (started.path() == path) {
          found = handle;
          return;
        }
        v1::Subscribe request;
        request.add_paths(path);
        self->send(caf::actor_cast<directory_actor>(handle), std::move(request),
                   caf::strong_actor_ptr(self.ptr()->ctrl()));
      },
      [&](const caf::down_msg& down) { end = reason_text(down.reason); }, caf::after(5s) >> [&] { timeout = true; });
  }
  if (!end.empty()) throw engine_error("the engine could not be started: " + end);
  return found;
}

/// Those of layers in workers come and go: of them only the layers are waited for.
bool engine::state::all_run(caf::scoped_actor& self) {
  const auto all = list(self);
  if (!cluster) return size_t(all.paths_size()) >= actors_min;
  const auto is_remote = [](const std::string& path) { return path.find("/layer/") != std::string::npos; };
  const auto is_layer = [](const std::string& path) { return paths::role(path) == "layer"; };
  const auto count = [&](auto which) { return size_t(std::ranges::count_if(all.paths(), which)); };
  const size_t layers = model->spec.layers.size() + (model->spec.encoder ? model->spec.encoder->layers.size() : 0);
  return size_t(all.paths_size()) - count(is_remote) >= actors_min && count(is_layer) >= layers * options.replicas;
}

v1::ClusterFacts engine::state::cluster_facts(caf::scoped_actor& self) {
  v1::ClusterFacts facts;
  if (const auto handle = cluster ? find(self, paths::cluster) : nullptr)
    self->request(caf::actor_cast<cluster_actor>(handle), 5s, v1::GetClusterFacts{})
      .receive([&](v1::ClusterFacts& answer) { facts.Swap(&answer); }, [](caf::error&) {});
  return facts;
}

v1::ActorList engine::state::list(caf::scoped_actor& self) {
  v1::ActorList actors;
  if (const auto directory = find(self, paths::directory))
    self->request(caf::actor_cast<directory_actor>(directory), 5s, v1::ListActors{})
      .receive([&](v1::ActorList& list) { actors.Swap(&list); }, [](caf::error&) {});
  return actors;
}

namespace {

/// While the layers are being placed for the first time. Throws engine_error when that cannot be expected any more.
void require_progress(const v1::ClusterFacts& facts, std::chrono::nanoseconds waited, const cluster_options& options) {
  std::string reasons;
  bool has_hope = facts.workers_size() == 0;
  for (const auto& worker : facts.workers()) {
    has_hope = has_hope || worker.state() != "lost" || worker.times_lost() < 5;
    if (!worker.reason().empty()) reasons += "; worker " + worker.name() + ": " + worker.reason();
  }
  if (!has_hope) throw engine_error("no worker can be had" + reasons);
  if (waited > options.start_max)
    throw engine_error("the workers have not got all layers within " + std::to_string(options.start_max.count()) + " s" + reasons);
}

engine_options with_threads(engine_options options) {
  const uint32_t processors = usable_processors().count;
  if (options.threads == 0) options.threads = processors;
  if (options.shards == 0) options.shards = std::min(options.threads, processors); // As many as can compute at once.
  return options;
}

} // namespace

engine::engine(std::shared_ptr<const model_file> model, engine_options options, const progress_callback& progress)
  : engine(std::move(model), std::move(options), cluster_options{}, progress) {}

engine::engine(std::shared_ptr<const model_file> model, engine_options options, const cluster_options& cluster,
               const progress_callback& progress) {
  options = with_threads(std::move(options));
  const signals_blocked while_threads_begin;
  state_ = std::make_unique<state>(options, cluster);
  begin(std::move(model), std::move(options), progress);
}

engine::engine(caf::actor_system& host, std::shared_ptr<const model_file> model, engine_options options,
               const progress_callback& progress) {
  options = with_threads(std::move(options));
  state_ = std::make_unique<state>(host, options);
  begin(std::move(model), std::move(options), progress);
}

expected<std::unique_ptr<engine>> engine::start(const std::filesystem::path& model, const engine_options& options) {
  try {
    return std::make_unique<engine>(open_model(model), options);
  } catch (const input_error& error) {
    return call_error{error_kind::refused, error.what()};
  } catch (const std::system_error& error) {
    return call_error{error_kind::system, error.what()};
  } catch (const std::bad_alloc&) {
    return call_error{error_kind::system, "out of memory"};
  } catch (const std::exception& error) {
    return call_error{error_kind::failed, error.what()};
  }
}

void engine::begin(std::shared_ptr<const model_file> model, engine_options options, const progress_callback& progress) {
  auto& st = *state_;
  if (model->words.kind != tokenizer_kind::none) st.words = make_tokenizer(model->words);
  if (!options.cached) options.cached = usual_cache_type(*model, options.as_q8_0);
  partition cut{.shards = options.shards, .cached = *options.cached, .as_q8_0 = options.as_q8_0, .keep = kept_by(options.checks)};
  const bool has_workers = st.workers.workers() > 0;
  if (has_workers) cut.only = {.ends = true, .layers = {0, 0}, .encoder_layers = {0, 0}};
  st.model = make_parts(
    std::move(model), cut,
    [&](std::vector<std::function<void()>> jobs) { st.running.run_jobs(std::move(jobs)); }, progress);
  st.options = with_defaults(options, *st.model);

  troupe_config config{st.model, st.words, {}, st.options.sequences_max};
  config.waiting_bytes_max = st.options.waiting_bytes_max;
  config.limits.step_rows_max = st.options.step_rows_max;
  config.limits.prefill_chunk = st.options.prefill_chunk;
  config.limits.logits_rows_max = std::max<uint32_t>(1, (16u << 20) / std::max(1u, st.model->spec.output.columns));
  config.limits.prefix_block = st.options.prefix_reuse ? reused_block : 0;
  config.limits.slowdown_by_tenants = st.options.slowdown_by_tenants;
  config.limits.slowdown_by_priorities = st.options.slowdown_by_priorities;
  config.limits.step_time_max_ns = double(std::chrono::nanoseconds(st.options.step_time_max).count());
  config.limits.cache_positions_max = st.options.cache_positions_max / st.options.replicas;
  config.replicas = st.options.replicas;
  config.verify_caches = st.options.checks.caches;
  if (has_workers) {
    auto tree = make_cluster_tree(*st.model, cut, st.workers, st.keys ? st.keys->folder() : st.workers.keys, options.threads,
                                  options.log);
    tree.cluster.model.set_cache_positions_max(config.limits.cache_positions_max);
    for (auto& link : tree.links) link.version = version();
    tree.cluster.model.set_verify_caches(config.verify_caches);
    st.cluster = std::make_shared<const cluster_tree>(std::move(tree));
    config.cluster = st.cluster;
  }
  if (st.options.checks.weights) config.scrub_bytes_per_second = std::max<uint64_t>(1, st.options.checks.scrub_bytes_per_second);
  st.actors_min = actor_count(*st.model, st.options.replicas) + (config.scrub_bytes_per_second > 0 ? 1 : 0);
  if (st.cluster) // The cluster, links, and the stages that stand for layers.
    st.actors_min += 1 + st.cluster->links.size() + st.options.replicas * st.cluster->cluster.placing.segments * (st.model->encoder ? 2 : 1);
  config.hook = st.running.hook();
  config.log = st.options.log;
  auto& system = st.running.system();
  st.root = spawn_root(system, config);
  if (st.is_hosted) {
    st.config = std::move(config);
    st.relay = spawn_root_relay(system, st.root);
    st.running.set_root(caf::actor_cast<root_actor>(st.relay));
  } else {
    st.running.set_root(st.root);
  }

  caf::scoped_actor self{system};
  self->monitor(st.root);
  const auto start = std::chrono::steady_clock::now();
  while (!st.all_run(self)) {
    std::this_thread::sleep_for(1ms);
    if (st.cluster) require_progress(st.cluster_facts(self), std::chrono::steady_clock::now() - start, st.workers);
  }
}

engine::~engine() { stop(); }

size_t engine::stop() { return state_->running.stop(); }
v1::FaultLog engine::fault_log() const { return state_->running.fault_log(); }
void engine::stop_faults() { state_->running.stop_faults(); }

void engine::use_faults(std::shared_ptr<const v1::FaultPlan> plan) {
  using clock = std::chrono::steady_clock;
  auto& st = *state_;
  caf::scoped_actor self{st.running.system()};
  if (plan) {
    const auto list = st.list(self);
    check_reachable(*plan, {list.paths().begin(), list.paths().end()});
  }
  const auto before = st.find(self, paths::directory);
  const auto injector = st.running.use_plan(std::move(plan));
  if (st.config) st.config->hook = st.running.hook();
  const auto start = clock::now();
  while (st.find(self, paths::directory) == before || !st.all_run(self)) {
    if (clock::now() - start > 1min) throw engine_error("the actors did not come back within a minute");
    std::this_thread::sleep_for(1ms);
  }
  if (injector) st.running.end_injector(injector);
}

const model_file& engine::model() const { return *state_->model->file; }
const engine_options& engine::options() const { return state_->options; }
std::shared_ptr<const tokenizer> engine::words() const { return state_->words; }
uint64_t engine::weight_bytes() const { return state_->model->weight_bytes; }
caf::actor_system& engine::system() { return state_->running.system(); }
caf::actor engine::root() const { return caf::actor_cast<caf::actor>(state_->root); }

caf::actor engine::start_root() {
  auto& st = *state_;
  TROUPE_ASSERT(st.is_hosted);
  st.root = spawn_root(st.running.system(), *st.config);
  v1::ActorStarted news;
  news.set_path(paths::root);
  caf::anon_send(st.relay, std::move(news), caf::actor_cast<caf::strong_actor_ptr>(st.root));
  return root();
}

std::vector<worker_facts> engine::workers() const {
  caf::scoped_actor self{state_->running.system()};
  const auto facts = state_->cluster_facts(self);
  std::vector<worker_facts> all;
  for (const auto& one : facts.workers()) {
    std::string layers;
    for (const auto& part : one.layers()) {
      if (!layers.empty()) layers += ", ";
      layers += (part.of_encoder() ? "encoder " : "") + std::to_string(part.first()) + "-" + std::to_string(part.first() + part.count() - 1);
    }
    all.push_back({one.name(), one.state(), one.reason(), one.facts().threads(), one.facts().process(), layers, one.is_spare(),
                   one.times_lost(), std::chrono::nanoseconds(one.round_trip_ns())});
  }
  return all;
}

bool engine::drain_worker(const std::string& name, bool undo) {
  caf::scoped_actor self{state_->running.system()};
  const auto facts = state_->cluster_facts(self);
  if (std::ranges::none_of(facts.workers(), [&](const auto& one) { return one.name() == name; })) return false;
  v1::DrainWorker order;
  order.set_worker(name);
  order.set_undo(undo);
  if (const auto handle = state_->find(self, paths::cluster)) self->send(caf::actor_cast<cluster_actor>(handle), std::move(order));
  return true;
}

namespace {

supervisor_decision to_decision(const v1::SupervisorDecision& m) {
  using kind = supervisor_decision::kind;
  const bool ends = m.directive() == v1::DIRECTIVE_STOP;
  return {m.child(), m.reason(), m.directive() == v1::DIRECTIVE_ESCALATE ? kind::escalate : ends ? kind::stop : kind::restart};
}

} // namespace

std::vector<actor_facts> engine::actors() const { return supervision().actors; }

supervision_facts engine::supervision() const {
  caf::scoped_actor self{state_->running.system()};
  const auto list = state_->list(self);
  const auto directory = state_->find(self, paths::directory);
  supervision_facts facts; // The first two are not in the directory's list.
  facts.actors.push_back({paths::root, 0, paths::role(paths::root), state_->running.root()->id()});
  facts.actors.push_back({paths::directory, 0, paths::role(paths::directory), directory ? directory->id() : 0});
  for (int i = 0; i < list.paths_size(); ++i)
    facts.actors.push_back({list.paths(i), list.restarts(i), paths::role(list.paths(i)), list.actor_ids(i)});
  for (const auto& one : list.decisions()) facts.decisions.push_back(to_decision(one));
  facts.decisions_total = list.decisions_total();
  return facts;
}

std::vector<uint64_t> engine::running_actors() const { return troupe::running_actors(state_->running.system()); }

bool engine::kill(const std::string& path) {
  caf::scoped_actor self{state_->running.system()};
  const auto list = state_->list(self);
  const bool is_known = std::find(list.paths().begin(), list.paths().end(), path) != list.paths().end();
  const auto handle = path == paths::directory || is_known ? state_->find(self, path) : nullptr;
  if (handle) send_kill(handle);
  return handle != nullptr;
}

namespace {

step_totals to_totals(const v1::StepTotals& m) {
  return {m.steps(), m.rows(), m.messages(), std::chrono::nanoseconds(m.wall_ns()),
          std::chrono::nanoseconds(m.compute_ns())};
}

std::vector<engine_statistics::service_times> to_service_times(const v1::StepTimes& times) {
  using std::chrono::nanoseconds;
  // Two messages for each head and shard; the others went from stage to stage.
  const uint64_t stages = times.messages() - 2 * (times.heads() + times.shards());
  return {{"attention_head", times.heads(), nanoseconds(times.head_ns())},
          {"projection_shard", times.shards(), nanoseconds(times.shard_ns())},
          {"stage", stages, nanoseconds(times.compute_ns() - times.head_ns() - times.shard_ns())}};
}

} // namespace

engine_statistics engine::statistics() const {
  caf::scoped_actor self{state_->running.system()};
  engine_statistics statistics;
  if (const auto handle = state_->find(self, paths::scheduler))
    self->request(caf::actor_cast<scheduler_actor>(handle), 5s, v1::GetSchedulerStats{})
      .receive(
        [&](const v1::SchedulerStats& stats) {
          statistics.prefill = to_totals(stats.prefill());
          statistics.decode = to_totals(stats.decode());
          statistics.rows_replayed = stats.rows_replayed();
          statistics.rows_reused = stats.rows_reused();
          statistics.preemptions = stats.preemptions();
          statistics.sequences_running = stats.sequences_running();
          statistics.sequences_waiting = stats.sequences_waiting();
          statistics.cache_positions = stats.cache_positions();
          statistics.cache_positions_max = stats.cache_positions_max();
          statistics.faults = stats.faults();
          statistics.service = to_service_times(stats.times());
          statistics.queue_times.assign(stats.queue_times().counts().begin(), stats.queue_times().counts().end());
          statistics.queue_time = std::chrono::nanoseconds(stats.queue_times().sum_ns());
        },
        [](caf::error&) {});
  statistics.busy = busy_time(state_->running.system());
  return statistics;
}

client engine::connect() {
  return client(client_connection{state_->running.system(), state_->running.root(), state_->model, state_->words, state_->options.log});
}

event_client engine::connect_async() { return connect(event_client::receiver{}); }

event_client engine::connect(event_client::receiver receive) {
  return event_client(client_connection{state_->running.system(), state_->running.root(), state_->model, state_->words, state_->options.log},
                      std::move(receive));
}

} // namespace troupe
