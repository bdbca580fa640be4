// What scheduling costs beside the work that it is for, over the number of those that wait or run beside it:
//
//   plan/WAITING     two steps of batch_policy: 64 sequences decode, then one is replaced and the new one runs alone, while WAITING others
//                    wait for room.
//   queue/WAITING    a request leaves request_queue and another comes, while WAITING wait.
//   start/CHILDREN   a supervisor starts a child and learns of its end, while CHILDREN others run.
//
// What waits costs nothing: a figure may grow with the logarithm of the number and with the misses of caches, not with the number.
#include "actors/requests/request_queue.hpp"
#include "actors/scheduling/batch_policy.hpp"
#include "actors/supervision/supervisor_core.hpp"

#include <benchmark/benchmark.h>
#include <caf/all.hpp>
#include <cstdint>
#include <optional>
#include <vector>

namespace troupe {
namespace {

constexpr uint32_t decoding = 64, prompt = 32;

joining_sequence sequence(uint64_t id) {
  return {.id = id, .tokens = std::vector<uint32_t>(prompt, 1), .logits_from = prompt - 1};
}

/// A policy in which some sequences decode and all others wait, because the first of them needs more room than there is.
class busy_policy {
public:
  explicit busy_policy(uint64_t waiting)
    : policy_({.step_rows_max = 512, .prefill_chunk = 512, .logits_rows_max = 512, .cache_positions_max = positions}) {
    for (; joined_ < decoding; ++joined_) {
      policy_.join(sequence(joined_));
      running_.push_back({joined_, prompt});
    }
    while (const auto step = policy_.plan()) policy_.succeeded(*step);
    // More than there is even when all others are gone: else it would preempt those that come in place of the first.
    policy_.join({.id = joined_++, .tokens = std::vector<uint32_t>(positions + 1, 1), .logits_from = positions});
    for (uint64_t i = 1; i < waiting; ++i) policy_.join(sequence(joined_++));
  }

  /// All that decode get their next token and run.
  void decode() {
    for (auto& one : running_) policy_.append(one.id, one.tokens++, 1);
    policy_.succeeded(policy_.plan().value());
  }

  /// One of those that decode ends, and another one joins that is to decode. Each of them is replaced after as many of these as there
  /// are, so that none outgrows the room.
  void replace_one() {
    auto& one = running_[next_++ % decoding];
    policy_.leave(one.id);
    one = {joined_++, prompt + 1};
    auto another = sequence(one.id);
    another.tokens.push_back(1);
    another.cached = prompt;
    policy_.join(std::move(another));
    policy_.succeeded(policy_.plan().value());
  }

private:
  static constexpr uint32_t positions = decoding * (prompt + 2 * decoding);
  struct known {
    uint64_t id;
    uint32_t tokens;
  };
  batch_policy policy_;
  std::vector<known> running_;
  uint64_t joined_ = 0, next_ = 0;
};

void plan(benchmark::State& state) {
  busy_policy policy(uint64_t(state.range(0)));
  for (auto _ : state) {
    policy.decode();
    policy.replace_one();
  }
}

void queue(benchmark::State& state) {
  request_queue<uint64_t> waiting;
  uint64_t added = 0;
  for (; added < uint64_t(state.range(0)); ++added) waiting.add({1, added}, {.bytes = 1}, added);
  for (auto _ : state) {
    benchmark::DoNotOptimize(waiting.take());
    waiting.add({1, added}, {.priority = int32_t(added % 3), .bytes = 1}, added);
    ++added;
  }
}

caf::behavior idle_child(caf::event_based_actor*) {
  return {[](int) {}};
}

using start_atom = caf::atom_constant<caf::atom("start")>;
using turn_atom = caf::atom_constant<caf::atom("turn")>;
using done_atom = caf::atom_constant<caf::atom("done")>;

struct parent_state {
  std::optional<supervisor_core> core;
  caf::actor asker;
};

/// Starts children; at a turn one more, which ends at once, and answers when it knows of the end.
caf::behavior parent(caf::stateful_actor<parent_state>* self) {
  child_spec each{"/children",
                  [](caf::scheduled_actor* by, const std::string&, const caf::message&) {
                    return caf::actor_cast<caf::strong_actor_ptr>(by->spawn(idle_child));
                  },
                  restart_kind::temporary};
  auto& core = self->state.core.emplace(self, "/", supervisor_policy{.strategy = restart_strategy::simple_one_for_one},
                                        std::vector{std::move(each)}, directory_actor{});
  core.take_over();
  self->set_down_handler([self](const caf::down_msg& down) {
    self->state.core->on_down(down);
    self->send(self->state.asker, done_atom::value);
  });
  return {[self](start_atom) { self->state.core->start_child({}); },
          [self](turn_atom, const caf::actor& asker) {
            self->state.asker = asker;
            send_kill(self->state.core->start_child({}));
          }};
}

void start(benchmark::State& state) {
  caf::actor_system_config config;
  config.set("scheduler.max-threads", 1u);
  caf::actor_system system{config};
  caf::scoped_actor self{system};
  auto above = system.spawn(parent);
  for (int64_t i = 0; i < state.range(0); ++i) self->send(above, start_atom::value);
  const auto turn = [&] {
    self->send(above, turn_atom::value, caf::actor{self.ptr()});
    self->receive([](done_atom) {});
  };
  turn(); // All others have started when this comes back.
  for (auto _ : state) turn();
  self->send_exit(above, caf::exit_reason::kill); // Ends its children.
}

} // namespace
} // namespace troupe

int main(int argc, char** argv) {
  constexpr int64_t least = 100, most = 100'000;
  benchmark::RegisterBenchmark("plan", troupe::plan)->RangeMultiplier(10)->Range(least, most);
  benchmark::RegisterBenchmark("queue", troupe::queue)->RangeMultiplier(10)->Range(least, most);
  benchmark::RegisterBenchmark("start", troupe::start)->RangeMultiplier(10)->Range(least, most)->UseRealTime();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
