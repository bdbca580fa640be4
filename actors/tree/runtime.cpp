#include "actors/tree/runtime.hpp"

#include "actors/faults/injector.hpp"
#include "actors/supervision/failure.hpp"
#include "messages/message_types.hpp"
#include "model/error.hpp"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace troupe {

using namespace std::chrono_literals;

struct runtime::state {
  struct system_config : caf::actor_system_config {
    explicit system_config(const workers_options& workers) {
      register_messages(*this);
      configure_workers(*this, workers);
    }
  };
  system_config config;
  caf::actor_system system;
  size_t running_before;
  fault_injector_actor injector; // Null without a fault plan.
  root_actor root;

  explicit state(const workers_options& workers)
    : config(workers), system(config), running_before(system.registry().running()) {}
};

runtime::runtime(const workers_options& workers, std::shared_ptr<const v1::FaultPlan> plan)
  : state_(std::make_unique<state>(workers)) {
  if (plan) state_->injector = spawn_fault_injector(state_->system, {std::move(plan)});
}

runtime::~runtime() { stop(); }

caf::actor_system& runtime::system() { return state_->system; }
child_hook runtime::hook() const { return state_->injector ? hook_of(state_->injector) : child_hook{}; }
void runtime::set_root(root_actor root) { state_->root = std::move(root); }
const root_actor& runtime::root() const { return state_->root; }

void runtime::run_jobs(std::vector<std::function<void()>> jobs) {
  caf::scoped_actor self{state_->system};
  for (auto& job : jobs)
    self->monitor(state_->system.spawn([job = std::move(job)](caf::event_based_actor* worker) {
      report_exceptions(worker); // CAF by itself drops the text.
      job();
    }));
  std::string reason;
  for (size_t i = 0; i < jobs.size(); ++i)
    self->receive([&](const caf::down_msg& down) {
      if (down.reason) reason = reason_text(down.reason);
    });
  if (!reason.empty()) throw input_error(reason);
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

size_t runtime::stop() {
  auto& st = *state_;
  caf::scoped_actor self{st.system};
  const auto end = [&](const caf::strong_actor_ptr& actor) {
    self->monitor(actor);
    self->send_exit(actor, caf::exit_reason::user_shutdown);
    self->receive([](const caf::down_msg&) {});
  };
  if (st.root) end(caf::actor_cast<caf::strong_actor_ptr>(st.root));
  if (st.injector) end(caf::actor_cast<caf::strong_actor_ptr>(st.injector));
  st.root = nullptr;
  st.injector = nullptr;
  const auto& registry = st.system.registry();
  const size_t expected = st.running_before + 1; // Our own scoped actor runs too.
  for (int i = 0; i < 2000 && registry.running() > expected; ++i) std::this_thread::sleep_for(1ms);
  return registry.running() - std::min(registry.running(), expected);
}

} // namespace troupe
