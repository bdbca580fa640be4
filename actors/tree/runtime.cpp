#include "actors/tree/runtime.hpp"

#include "actors/cluster/network.hpp"
#include "actors/faults/injector.hpp"
#include "messages/message_types.hpp"
#include "model/kernels/isa.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>

namespace troupe {

using namespace std::chrono_literals;

struct runtime::state {
  struct system_config : caf::actor_system_config {
    system_config(const workers_options& workers, const node_keys* network) {
      register_messages(*this);
      configure_workers(*this, workers);
      if (network != nullptr) configure_network(*this, *network);
    }
  };
  struct own_system {
    system_config config;
    caf::actor_system system;
    own_system(const workers_options& workers, const node_keys* network) : config(workers, network), system(config) {}
  };
  std::string instruction_set = current_isa(); // One that cannot be had is refused here, not by every actor that computes.
  std::unique_ptr<own_system> own; // Null: in that of a host, where other actors run, too.
  caf::actor_system& system;
  size_t running_before;
  fault_injector_actor injector; // Null without a fault plan.
  root_actor root;
  std::chrono::milliseconds left_over_patience{2000}; // How long stop() still waits for actors when the root has ended.
  size_t left_over = 0; // Of those that were told to end.

  explicit state(std::unique_ptr<own_system> ours)
    : own(std::move(ours)), system(own->system), running_before(system.registry().running()) {}
  explicit state(caf::actor_system& host) : system(host), running_before(0) {}
};

namespace {

/// Ends an actor and waits for it; but no longer than five seconds in which no actor ended. Whether it has ended.
bool end(caf::blocking_actor& self, const caf::actor_registry& registry, const caf::strong_actor_ptr& actor) {
  using clock = std::chrono::steady_clock;
  self.monitor(actor);
  self.send_exit(actor, caf::exit_reason::user_shutdown);
  bool has_ended = false;
  size_t running = registry.running();
  for (auto since = clock::now(); !has_ended && clock::now() - since < 5s;) {
    self.receive([&](const caf::down_msg& down) { has_ended = down.source == actor->address(); }, caf::after(100ms) >> [] {});
    if (registry.running() < running) {
      running = registry.running();
      since = clock::now();
    }
  }
  return has_ended;
}

} // namespace

runtime::runtime(const workers_options& workers, std::shared_ptr<const v1::FaultPlan> plan, const node_keys* network)
  : state_(std::make_unique<state>(std::make_unique<state::own_system>(workers, network))) {
  if (plan) state_->injector = spawn_fault_injector(state_->system, {std::move(plan)});
}

runtime::runtime(caf::actor_system& host, std::shared_ptr<const v1::FaultPlan> plan) : state_(std::make_unique<state>(host)) {
  if (plan) state_->injector = spawn_fault_injector(state_->system, {std::move(plan)});
}

runtime::~runtime() {
  // An actor that never returns from its handler keeps its thread, which CAF would wait for. No thread can be ended from outside: the
  // actor system is left to them.
  if (stop() > 0) (void) state_.release();
}

caf::actor_system& runtime::system() { return state_->system; }
child_hook runtime::hook() const { return state_->injector ? hook_of(state_->injector) : child_hook{}; }
void runtime::set_root(root_actor root) { state_->root = std::move(root); }
const root_actor& runtime::root() const { return state_->root; }

void runtime::run_jobs(std::vector<std::function<void()>> jobs) {
  caf::scoped_actor self{state_->system};
  std::vector<std::exception_ptr> thrown(jobs.size());
  for (size_t i = 0; i < jobs.size(); ++i)
    self->monitor(state_->system.spawn([job = std::move(jobs[i]), &thrown = thrown[i]](caf::event_based_actor*) {
      try {
        job();
      } catch (...) {
        thrown = std::current_exception();
      }
    }));
  for (size_t i = 0; i < jobs.size(); ++i) self->receive([](const caf::down_msg&) {});
  for (const auto& one : thrown)
    if (one) std::rethrow_exception(one);
}

v1::FaultLog runtime::fault_log() {
  v1::FaultLog log;
  if (!state_->injector) return log;
  caf::scoped_actor self{state_->system};
  self->request(state_->injector, 5s, v1::GetFaultLog{})
    .receive([&](v1::FaultLog& answer) { log.Swap(&answer); }, [](caf::error&) {});
  return log;
}

void runtime::stop_faults() {
  if (state_->injector) caf::anon_send(state_->injector, v1::StopFaults{});
}

caf::strong_actor_ptr runtime::use_plan(std::shared_ptr<const v1::FaultPlan> plan) {
  auto& st = *state_;
  const auto injector = plan ? spawn_fault_injector(st.system, {std::move(plan)}) : fault_injector_actor{};
  stop_faults();
  caf::anon_send(st.root, v1::UseFaultInjector{}, caf::actor_cast<caf::strong_actor_ptr>(injector));
  return caf::actor_cast<caf::strong_actor_ptr>(std::exchange(st.injector, injector));
}

void runtime::end_injector(const caf::strong_actor_ptr& injector) {
  caf::scoped_actor self{state_->system};
  end(*self.ptr(), state_->system.registry(), injector);
}

size_t runtime::stop() {
  auto& st = *state_;
  caf::scoped_actor self{st.system};
  const auto& registry = st.system.registry();
  const auto end_one = [&](caf::strong_actor_ptr actor) {
    if (actor && !end(*self.ptr(), registry, actor)) ++st.left_over;
  };
  end_one(caf::actor_cast<caf::strong_actor_ptr>(std::exchange(st.root, nullptr)));
  end_one(caf::actor_cast<caf::strong_actor_ptr>(std::exchange(st.injector, nullptr)));
  if (!st.own) return st.left_over; // A root ends when all its actors have.
  const size_t expected = st.running_before + 1; // Our own scoped actor runs too.
  for (; st.left_over_patience > 0ms && registry.running() > expected; st.left_over_patience -= 1ms) std::this_thread::sleep_for(1ms);
  return registry.running() - std::min(registry.running(), expected);
}

} // namespace troupe
