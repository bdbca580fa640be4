#include "actors/worker_node.hpp"

#include "actors/cluster/network.hpp"
#include "actors/threads/processors.hpp"
#include "actors/threads/signals_blocked.hpp"
#include "actors/tree/runtime.hpp"
#include "actors/tree/worker.hpp"
#include "actors/version.hpp"
#include "model/kernels/isa.hpp"

#include <algorithm>
#include <atomic>
#include <random>
#include <unistd.h>
#include <utility>

namespace troupe {

struct worker_node::state {
  runtime running;
  caf::strong_actor_ptr worker;
  uint16_t port = 0;
  std::shared_ptr<std::atomic<bool>> has_ended = std::make_shared<std::atomic<bool>>(false);
  explicit state(const worker_node_options& options)
    : running({.threads = options.threads, .pin = options.pin_threads}, nullptr, &options.keys) {}
};

worker_node::worker_node(worker_node_options options) {
  const uint32_t processors = usable_processors().count;
  if (options.threads == 0) options.threads = processors;
  {
    const signals_blocked while_threads_begin;
    state_ = std::make_unique<state>(options);
  }
  std::random_device random;
  worker_config config;
  config.facts.set_incarnation(uint64_t(random()) << 32 | random());
  config.facts.set_threads(options.threads);
  config.facts.set_arithmetic(current_isa());
  config.facts.set_version(version());
  config.facts.set_process(uint64_t(getpid()));
  config.model = options.model;
  config.shards = std::min(options.threads, processors);
  config.run_jobs = [running = &state_->running](std::vector<std::function<void()>> jobs) { running->run_jobs(std::move(jobs)); };
  config.log = options.log;
  const auto started = state_->running.system().spawn<caf::detached>(worker, std::move(config));
  started->attach_functor([flag = state_->has_ended] { *flag = true; });
  state_->worker = caf::actor_cast<caf::strong_actor_ptr>(started);
  state_->running.set_root(caf::actor_cast<root_actor>(started)); // Ended in the end as an engine's root is.
  state_->port = publish(started, options.host, options.port);
}

worker_node::~worker_node() = default;

bool worker_node::has_ended() const { return *state_->has_ended; }
uint16_t worker_node::port() const { return state_->port; }
size_t worker_node::stop() { return state_->running.stop(); }

} // namespace troupe
