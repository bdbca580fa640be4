#pragma once
// A whole troupe in one thread, in an order that a seed decides, with a client and a list of who can be struck.
#include "actors/client.hpp"
#include "actors/faults/injector.hpp"
#include "actors/paths.hpp"
#include "actors/root.hpp"
#include "model/model_file.hpp"
#include "support/simulation.hpp"
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace troupe::testing {

/// What came of one request.
struct outcome {
  std::vector<uint32_t> tokens;
  std::string text;
  std::map<uint32_t, std::vector<float>> logits;                      // By position.
  std::map<std::pair<uint32_t, uint32_t>, std::vector<float>> hidden; // By layer boundary and position.
  std::string end, error;
  bool in_order = true; // No token was skipped or repeated.
  bool operator==(const outcome&) const = default;
};

/// Rows may come again after a replay, and differently cut: one entry for each position, and repetitions must be equal.
inline void take(outcome& result, const generation_event& event) {
  result.text += event.text;
  if (event.kind == event_kind::token) {
    result.in_order = result.in_order && event.index == result.tokens.size();
    result.tokens.push_back(event.token);
  } else if (event.kind == event_kind::finished) {
    result.end = to_string(event.reason);
    result.error = event.error;
  }
  for (size_t row = 0; row * event.width < event.values.size(); ++row) {
    const auto* first = event.values.data() + row * event.width;
    const uint32_t position = event.position + uint32_t(row);
    auto& place = event.kind == event_kind::logits ? result.logits[position] : result.hidden[{event.layer, position}];
    const std::vector<float> values(first, first + event.width);
    result.in_order = result.in_order && (place.empty() || place == values);
    place = values;
  }
}

class simulated_troupe {
public:
  simulation sim; // First, so that it goes last.

  /// `config.hook` may wrap starts; each start, wrapped or not, is noted in `cast` under its path. With a plan an injector
  /// disturbs the troupe.
  simulated_troupe(uint64_t seed, troupe_config config, std::shared_ptr<const v1::FaultPlan> plan = nullptr) : sim(seed) {
    if (plan) {
      injector_ = spawn_fault_injector(sim.system(), {plan, [this](caf::timespan span) { sim.jump(span); }});
      config.hook = hook_of(injector_);
    }
    config.hook = [this, inner = config.hook](child_spec& spec) {
      if (inner) inner(spec);
      note_starts(spec);
    };
    root_ = spawn_root(sim.system(), std::move(config));
    desk_ = std::make_unique<client_desk>(sim.system(), root_);
  }

  ~simulated_troupe() {
    if (root_) close();
  }

  client_desk& desk() { return *desk_; }

  /// Runs until all requests of the desk have finished; `between` is called before every step. False: it got stuck.
  template <class Between> bool run(Between between, size_t steps_max = 400'000) {
    for (size_t i = 0; i < steps_max && !desk_->pending().empty(); ++i) {
      between();
      const bool moved = sim.step();
      if (moved && sim.draw(8) != 0) continue; // The client has other things to do, too.
      const bool received = receive();
      if (!moved && !received) break;
    }
    receive();
    return desk_->pending().empty();
  }
  bool run() {
    return run([] {});
  }

  /// Outcomes so far, by request.
  std::map<uint64_t, outcome> outcomes;

  /// Everyone that was ever started, newest life: path, or path/id for sequences.
  std::map<std::string, caf::weak_actor_ptr> cast;

  /// How often each path was started; all sequences count as one.
  std::map<std::string, uint32_t> starts;

  caf::strong_actor_ptr find(const std::string& path) {
    const auto it = cast.find(path);
    return it == cast.end() ? nullptr : it->second.lock();
  }

  void kill(const caf::strong_actor_ptr& victim, bool urgently) {
    if (!victim) return;
    const auto id = caf::make_message_id(urgently ? caf::message_priority::high : caf::message_priority::normal);
    victim->enqueue(nullptr, id, caf::make_message(caf::exit_msg{victim->address(), caf::exit_reason::kill}), nullptr);
  }

  v1::SchedulerStats statistics() {
    caf::scoped_actor self{sim.system()};
    v1::SchedulerStats result;
    auto request = self->request(caf::actor_cast<scheduler_actor>(find(paths::scheduler)), caf::infinite,
                                 v1::GetSchedulerStats{});
    sim.run_now();
    request.receive([&](const v1::SchedulerStats& stats) { result = stats; }, [](const caf::error&) {});
    return result;
  }

  /// What the injector has done so far.
  v1::FaultLog fault_log() {
    caf::scoped_actor self{sim.system()};
    v1::FaultLog log;
    auto request = self->request(injector_, caf::infinite, v1::GetFaultLog{});
    sim.run_now();
    request.receive([&](v1::FaultLog& answer) { log.Swap(&answer); }, [](const caf::error&) {});
    return log;
  }

  /// Stops everything. How many actors are left over.
  size_t close() {
    desk_.reset();
    caf::anon_send_exit(root_, caf::exit_reason::user_shutdown);
    root_ = nullptr;
    sim.run_to_idle();
    if (injector_) caf::anon_send_exit(injector_, caf::exit_reason::user_shutdown);
    injector_ = nullptr;
    sim.run_to_idle();
    cast.clear();
    return sim.actors_running();
  }

private:
  bool receive() {
    bool any = false;
    while (desk_->receive(std::chrono::milliseconds(0))) any = true;
    for (; !desk_->events().empty(); desk_->events().pop_front())
      take(outcomes[desk_->events().front().request], desk_->events().front());
    return any;
  }

  void note_starts(child_spec& spec) {
    const bool is_sequence = spec.restart == restart_kind::temporary;
    spec.start = [this, start = spec.start, is_sequence](caf::scheduled_actor* parent, const std::string& path,
                                                         const caf::message& args) {
      ++starts[path];
      auto handle = start(parent, path, args);
      if (handle) cast[is_sequence ? path + "/" + std::to_string(handle->id()) : path] =
                    caf::actor_cast<caf::weak_actor_ptr>(handle);
      return handle;
    };
  }

  fault_injector_actor injector_;
  root_actor root_;
  std::unique_ptr<client_desk> desk_;
};

} // namespace troupe::testing
