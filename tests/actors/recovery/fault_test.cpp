// Goal: an actor that gives wrong answers, hangs, is slow or cannot even be started is dealt with, and the requests end with
// the reference's bytes, or with a clear error when nothing can help. Method: test doubles of single actors in a simulated
// troupe, where time passes only when nothing else is left to do.
#include "actors/inference/attention_head.hpp"
#include "actors/inference/projection_shard.hpp"
#include "actors/live_troupe.hpp"
#include "actors/simulated_requests.hpp"
#include "actors/supervision/failure.hpp"
#include "actors/testing/interposer.hpp"
#include "support/allocations.hpp"

#include <atomic>
#include <limits>
#include <optional>
#include <set>

namespace troupe {
namespace {

using namespace testing;
using namespace std::chrono_literals;

/// May change an answer; returns how long it takes, nullopt: for ever. It is shared by all incarnations of the double.
template <class Result> using tamper = std::function<std::optional<caf::timespan>(Result&)>;

/// An attention head whose answers go through `alter`.
attention_head_actor::behavior_type odd_head(attention_head_actor::stateful_pointer<attention_head_state> self,
                                             attention_head_config config, tamper<v1::AttendResult> alter) {
  self->state.config = std::move(config);
  return {[](const v1::VerifyWeights&) {}, [](const v1::FlipOwnBit&) {}, [self, alter](const v1::AttendStep& step) {
    if (!self->state.gate.admit(id_of(step.plan()))) return;
    auto result = self->state.attend(step);
    if (const auto time = alter(*result))
      self->delayed_send(asker_of<v1::AttendResult>(self), *time, v1::AttendResult(*result));
  }};
}

/// The same for a projection shard.
projection_shard_actor::behavior_type
odd_shard(projection_shard_actor::stateful_pointer<projection_shard_state> self, projection_shard_config config,
          tamper<v1::ProjectResult> alter) {
  self->state.config = std::move(config);
  return {[](const v1::VerifyWeights&) {}, [](const v1::FlipOwnBit&) {}, [self, alter](const v1::ProjectStep& step) {
    if (!self->state.gate.admit(id_of(step))) return;
    auto result = self->state.project(step);
    if (const auto time = alter(*result))
      self->delayed_send(asker_of<v1::ProjectResult>(self), *time, v1::ProjectResult(*result));
  }};
}

const std::string head_path = paths::head(paths::layer(0, 1), 1);
const std::string shard_path = paths::shard(paths::layer(0, 0), 1);
const std::string output_shard_path = paths::shard(paths::output(0), 0);

child_start start_odd_head(std::shared_ptr<const model_parts> model, tamper<v1::AttendResult> alter, uint32_t head = 1) {
  return [=](caf::scheduled_actor* parent, const std::string&, const caf::message&) {
    const attention_head_config config{.part = model->layers[1]->heads[head], .layer = 1, .cache_positions_max = 1000};
    return caf::actor_cast<caf::strong_actor_ptr>(parent->spawn(odd_head, config, alter));
  };
}

child_start start_odd_shard(projection_shard_config config, tamper<v1::ProjectResult> alter) {
  return [=](caf::scheduled_actor* parent, const std::string&, const caf::message&) {
    return caf::actor_cast<caf::strong_actor_ptr>(parent->spawn(odd_shard, config, alter));
  };
}

troupe_config with_start(const std::string& path, child_start start) {
  auto config = small_troupe();
  config.hook = [=](child_spec& spec) {
    if (spec.path == path) spec.start = start;
  };
  return config;
}

troupe_config with_odd_head(tamper<v1::AttendResult> alter) {
  return with_start(head_path, start_odd_head(tiny_parts(), std::move(alter)));
}

/// Every actor but that at `path` was started once, that one as often as wanted.
void check_starts(const simulated_troupe& troupe, const std::string& path, uint32_t wanted_starts) {
  for (const auto& [other, starts] : troupe.starts)
    if (other != paths::sequences) CHECK((other == path ? starts == wanted_starts : starts == 1));
}

constexpr float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();

} // namespace

// -- wrong answers -----------------------------------------------------------

TEST_CASE("a head whose answer is not finite once is restarted, and the output is unchanged", "[faults]") {
  for (const float poison : {nan, infinity, -infinity}) {
    for (const uint64_t seed : seeds(20)) {
      INFO("TROUPE_SEED=" << seed << ", " << poison);
      uint64_t answers = 0;
      simulated_troupe troupe(seed, with_odd_head([&](v1::AttendResult& result) {
        if (result.values_size() > 0 && ++answers == 1 + seed % 9) result.set_values(result.values_size() - 1, poison);
        return caf::timespan(0);
      }));
      submit_all(troupe);
      REQUIRE(troupe.run());
      check_outcomes(troupe.outcomes);
      check_starts(troupe, head_path, 2);
      CHECK(troupe.close() == 0);
    }
  }
}

TEST_CASE("a shard whose answer is not finite once is restarted, and the output is unchanged", "[faults]") {
  const std::vector<std::pair<std::string, projection_shard_config>> shards{
    {shard_path, {1, tiny_parts()->layers[0]->shards[1]}}, {output_shard_path, {0, tiny_parts()->output.shards[0]}}};
  for (const auto& [path, config] : shards) {
    for (const uint64_t seed : seeds(20)) {
      INFO("TROUPE_SEED=" << seed << ", " << path);
      uint64_t answers = 0;
      simulated_troupe troupe(seed, with_start(path, start_odd_shard(config, [&](v1::ProjectResult& result) {
        if (result.values_size() > 0 && ++answers == 1 + seed % 9) result.set_values(0, nan);
        return caf::timespan(0);
      })));
      submit_all(troupe);
      REQUIRE(troupe.run());
      check_outcomes(troupe.outcomes);
      check_starts(troupe, path, 2);
      CHECK(troupe.close() == 0);
    }
  }
}

TEST_CASE("an actor whose answer has a wrong shape is replaced, and the output is unchanged", "[faults]") {
  for (const uint64_t seed : seeds(20)) {
    INFO("TROUPE_SEED=" << seed);
    uint64_t answers = 0;
    simulated_troupe troupe(seed, with_odd_head([&](v1::AttendResult& result) {
      if (result.values_size() > 0 && ++answers == 1 + seed % 9)
        seed % 2 ? result.mutable_values()->RemoveLast() : result.set_width(result.width() + 1);
      return caf::timespan(0);
    }));
    submit_all(troupe);
    REQUIRE(troupe.run());
    check_outcomes(troupe.outcomes);
    check_starts(troupe, head_path, 2);
    CHECK(troupe.close() == 0);
  }
}

TEST_CASE("when a head answers wrongly for ever, every request ends with an error", "[faults]") {
  for (const bool by_shape : {true, false}) {
    for (const uint64_t seed : seeds(20)) {
      INFO("TROUPE_SEED=" << seed << ", " << by_shape);
      simulated_troupe troupe(seed, with_odd_head([&](v1::AttendResult& result) {
        if (by_shape) result.mutable_values()->Clear();
        for (auto& value : *result.mutable_values()) value = nan;
        return caf::timespan(0);
      }));
      submit_all(troupe);
      REQUIRE(troupe.run());
      REQUIRE(troupe.outcomes.size() == 3);
      for (const auto& [id, out] : troupe.outcomes) {
        CHECK(out.end == "error");
        CHECK(out.tokens.empty());
        if (by_shape) CHECK(out.error == "running this request failed 8 times in a row");
        else CHECK(out.error == "this request produced values that are not finite, first at " + head_path);
      }
      CHECK(troupe.close() == 0);
    }
  }
}

TEST_CASE("when an actor cannot be started at all, the root gives up, and requests end with an error", "[faults]") {
  simulated_troupe troupe(1, with_start(head_path, [](caf::scheduled_actor*, const std::string&,
                                                      const caf::message&) -> caf::strong_actor_ptr {
    throw std::runtime_error("no memory");
  }));
  submit_all(troupe);
  REQUIRE(troupe.run());
  REQUIRE(troupe.outcomes.size() == 3);
  for (const auto& [id, out] : troupe.outcomes) CHECK(out.end == "error");
  REQUIRE(troupe.sim.run_to_idle(100'000'000));
  CHECK(troupe.starts[head_path] < 1000); // The levels of the tree do not multiply.
  const auto late = troupe.tracker().submit(make_request(1, 3, 3));
  REQUIRE(troupe.run());
  for (const auto& [id, out] : troupe.outcomes) {
    CHECK(out.error.starts_with("the engine has stopped: /"));
    CHECK_THAT(out.error, ContainsSubstring("start failed: no memory")); // Whatever lies between: the reason is told.
  }
  CHECK(troupe.outcomes.contains(late));
  CHECK(troupe.close() == 0);
}

// -- silence and slowness ----------------------------------------------------

TEST_CASE("a head that swallows a request is replaced soon after the deadline, and the output is unchanged", "[faults]") {
  for (const uint64_t seed : seeds(20)) {
    INFO("TROUPE_SEED=" << seed);
    uint64_t answers = 0;
    const uint64_t swallowed = 2 + seed % 9;
    simulated_troupe troupe(seed, with_odd_head([&](v1::AttendResult&) {
      return ++answers == swallowed ? std::nullopt : std::optional(caf::timespan(0));
    }));
    submit_all(troupe);
    const auto start = troupe.sim.now();
    REQUIRE(troupe.run());
    check_outcomes(troupe.outcomes);
    check_starts(troupe, head_path, 2);
    CHECK(troupe.sim.now() - start >= 350ms);
    CHECK(troupe.sim.now() - start <= 500ms);
    CHECK(troupe.close() == 0);
  }
}

TEST_CASE("the very first request may be swallowed too", "[faults]") {
  uint64_t answers = 0;
  simulated_troupe troupe(1, with_odd_head([&](v1::AttendResult&) {
    return ++answers == 1 ? std::nullopt : std::optional(caf::timespan(0));
  }));
  submit_all(troupe);
  REQUIRE(troupe.run());
  check_outcomes(troupe.outcomes);
  check_starts(troupe, head_path, 2);
  CHECK(troupe.close() == 0);
}

TEST_CASE("a lost result or token costs time, nothing else", "[faults]") {
  for (const bool token : {false, true}) {
    for (const uint64_t seed : seeds(20)) {
      INFO("TROUPE_SEED=" << seed << ", " << token);
      uint64_t seen = 0;
      auto config = small_troupe();
      config.hook = [&](child_spec& spec) {
        if (spec.path != paths::scheduler) return;
        spec.start = [&, start = spec.start](caf::scheduled_actor* parent, const std::string& path, const caf::message& args) {
          return interpose(start(parent, path, args), [&](const caf::mailbox_element_ptr& element) {
            const bool is_it = token ? element->content().match_elements<v1::AppendToken>()
                                     : element->content().match_elements<v1::LogitsResult>();
            return is_it && ++seen == 2 + seed % 9 ? fate::drop : fate::pass;
          });
        };
      };
      simulated_troupe troupe(seed, config);
      submit_all(troupe);
      const auto start = troupe.sim.now();
      REQUIRE(troupe.run());
      check_outcomes(troupe.outcomes);
      check_starts(troupe, "", 1); // No actor was at fault.
      CHECK(troupe.sim.now() - start <= 500ms);
      CHECK(troupe.close() == 0);
    }
  }
}

TEST_CASE("no actor is replaced for being slow all the time", "[faults]") {
  simulated_troupe troupe(1, with_odd_head([&](v1::AttendResult&) { return std::optional(caf::timespan(400ms)); }));
  submit_all(troupe);
  REQUIRE(troupe.run());
  check_outcomes(troupe.outcomes);
  check_starts(troupe, head_path, 1);
  CHECK(troupe.close() == 0);
}

TEST_CASE("an actor that becomes very slow is replaced some times, but not for ever", "[faults]") {
  uint64_t answers = 0;
  simulated_troupe troupe(1, with_odd_head([&](v1::AttendResult&) {
    return std::optional(caf::timespan(++answers < 5 ? 1ms : 5s));
  }));
  submit_all(troupe);
  REQUIRE(troupe.run());
  check_outcomes(troupe.outcomes);
  CHECK(troupe.starts[head_path] <= 7);
  CHECK(troupe.close() == 0);
}

TEST_CASE("on real threads, too, a hanging head is replaced within its deadline", "[faults]") {
  std::atomic<int> answers = 0;
  const auto hook = [&](child_spec& spec) {
    if (spec.path == head_path)
      spec.start = start_odd_head(tiny_parts(), [&](v1::AttendResult&) {
        return ++answers == 5 ? std::nullopt : std::optional(caf::timespan(0));
      });
  };
  live_troupe troupe(tiny_parts(), hook);
  std::map<uint64_t, outcome> outcomes;
  for (auto& request : three_requests()) troupe.tracker().submit(std::move(request));
  const auto start = std::chrono::steady_clock::now();
  while (!troupe.tracker().pending().empty() && troupe.tracker().receive(10s))
    for (; !troupe.tracker().events().empty(); troupe.tracker().events().pop_front())
      take(outcomes[troupe.tracker().events().front().request], troupe.tracker().events().front());
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  check_outcomes(outcomes);
  std::printf("%-20s %-9s longest pause %7.2f ms\n", "attention head", "hang", took.count());
  CHECK(took >= 350ms);
  CHECK(troupe.shut_down() == 0);
}

TEST_CASE("when as many handlers as threads never return, their actors are replaced, and the output is unchanged", "[faults]") {
  const auto threads = GENERATE(1u, 2u);
  std::atomic<uint32_t> answers{0};
  std::atomic<bool> is_over{false};
  const auto alter = [&](v1::AttendResult&) {
    if (const uint32_t number = ++answers; number > 6 && number <= 6 + threads) is_over.wait(false);
    return std::optional(caf::timespan(0));
  };
  const auto hook = [&](child_spec& spec) {
    for (const uint32_t head : {0u, 1u})
      if (spec.path == paths::head(paths::layer(0, 1), head)) spec.start = start_odd_head(tiny_parts(), alter, head);
  };
  live_troupe troupe(tiny_parts(), hook, threads);
  std::map<uint64_t, outcome> outcomes;
  for (auto& request : three_requests()) troupe.tracker().submit(std::move(request));
  const auto start = std::chrono::steady_clock::now();
  while (!troupe.tracker().pending().empty() && std::chrono::steady_clock::now() - start < 20s) // Without an end: for ever.
    if (troupe.tracker().receive(100ms))
      for (; !troupe.tracker().events().empty(); troupe.tracker().events().pop_front())
        take(outcomes[troupe.tracker().events().front().request], troupe.tracker().events().front());
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  std::printf("%u of %u threads lost: all done after %7.2f ms\n", threads, threads, took.count());
  is_over = true; // Else the threads would be lost to the whole test program.
  is_over.notify_all();
  CHECK(answers > 6 + threads);
  check_outcomes(outcomes);
  CHECK(troupe.shut_down() == 0);
}

// -- out of memory -----------------------------------------------------------

TEST_CASE("a request whose sequences get no memory is sent again after pauses, and ends with an error at last; no other does", "[faults]") {
  const auto failures = GENERATE(3u, 1000u); // Some, or all.
  for (const uint64_t seed : seeds(10)) {
    INFO("TROUPE_SEED=" << seed << ", " << failures << " failures");
    std::set<caf::actor_id> ended;
    const auto traffic = [&](message_record& here) {
      const auto& content = here.element->content();
      if (here.facts.name != "GenerateAccepted" || content.get_as<v1::GenerateAccepted>(0).request_id() != 1) return fate::pass;
      const auto sequence = content.get_as<caf::strong_actor_ptr>(1);
      if (ended.size() < failures && ended.insert(sequence->id()).second)
        sequence->enqueue(
          nullptr, caf::make_message_id(caf::message_priority::high),
          caf::make_message(caf::exit_msg{sequence->address(), make_error(failure::out_of_memory, "out of memory")}), nullptr);
      return fate::pass;
    };
    simulated_troupe troupe(seed, small_troupe(), {traffic});
    const auto begin = troupe.sim.now();
    submit_all(troupe);
    REQUIRE(troupe.run());
    const auto took = troupe.sim.now() - begin;
    if (failures == 3) {
      check_outcomes(troupe.outcomes);
      CHECK(took > 700ms); // 0.1, 0.2, 0.4 s.
    } else {
      CHECK(ended.size() == 8);
      CHECK(troupe.outcomes.at(1).end == "error");
      CHECK(troupe.outcomes.at(1).error.find("out of memory") != std::string::npos);
      CHECK(took > 10s); // 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 4 s.
      for (const uint64_t other : {2u, 3u}) CHECK(difference(troupe.outcomes.at(other), wanted()[other - 1], true) == "");
    }
    CHECK(troupe.close() == 0);
  }
}

TEST_CASE("where there is no memory for a huge request, it ends with an error, and no actor that others need ends", "[faults]") {
  constexpr uint32_t tokens = 9000;
  const auto model = make_parts(open_model(write_tiny_model({.layers = 1, .width = 32, .heads = 2, .kv_heads = 1, .head_dim = 16,
                                                             .feed_forward = 32, .context = 2 * tokens})), {.shards = 1});
  for (const bool in_scheduler : {false, true}) {
    std::optional<failing_allocations> failing;
    if (!in_scheduler) failing.emplace(tokens * sizeof(uint32_t)); // What a log of so many tokens takes.
    const auto traffic = [&](message_record& here) {
      if (here.facts.kind == message_kind::join_batch && here.element->content().get_as<v1::JoinBatch>(0).tokens_size() == tokens)
        failing.emplace(tokens * sizeof(uint32_t));
      return fate::pass;
    };
    troupe_config config{model, nullptr, {}, 3, {}};
    config.limits = {.step_rows_max = 7, .prefill_chunk = 4, .logits_rows_max = 5, .cache_positions_max = 2 * tokens};
    simulated_troupe troupe(1, config, {traffic});
    const auto huge = make_request(1, tokens, 5), small = make_request(2, 5, 9);
    troupe.tracker().submit(huge);
    troupe.tracker().submit(small);
    REQUIRE(troupe.run());
    failing.reset();
    INFO(troupe.outcomes.at(1).error);
    CHECK(troupe.outcomes.at(1).end == "error");
    CHECK(troupe.outcomes.at(1).error.find("out of memory") != std::string::npos);
    CHECK(difference(troupe.outcomes.at(2), by_reference(model, small), true) == "");
    for (const auto& path : {std::string(paths::scheduler), std::string(paths::sequences)})
      CHECK(troupe.find_record(path)->incarnation == 1);
    CHECK(troupe.close() == 0);
  }
}

// -- no copies ---------------------------------------------------------------

TEST_CASE("what a step carries is built once and read in place", "[faults]") {
  using step_and_layer = std::tuple<uint64_t, uint32_t, int>;
  std::map<step_and_layer, std::set<const void*>> requests;   // AttendStep and ProjectStep objects, by what they ask for.
  std::map<step_and_layer, int> receivers;
  std::map<uint64_t, std::vector<const float*>> hidden_states; // Where the residual stream is, stage by stage.
  auto config = small_troupe();
  config.hook = [&](child_spec& spec) {
    if (spec.path.ends_with("supervisor") || !spec.path.starts_with("/replica")) return;
    spec.start = [&, start = spec.start](caf::scheduled_actor* parent, const std::string& path, const caf::message& args) {
      return interpose(start(parent, path, args), [&, path](const caf::mailbox_element_ptr& element) {
        const auto& content = element->content();
        const auto note = [&](const auto& request, uint64_t step, int kind) {
          const step_and_layer key{step, uint32_t(path[std::string("/replica/0/layer/").size()]), kind};
          requests[key].insert(&request);
          ++receivers[key];
        };
        if (content.match_elements<v1::AttendStep>()) {
          const auto& request = content.get_as<v1::AttendStep>(0);
          note(request, request.plan().step(), 0);
        } else if (content.match_elements<v1::ProjectStep>()) {
          const auto& request = content.get_as<v1::ProjectStep>(0);
          note(request, request.step(), int(request.projection()));
        } else if (content.match_elements<v1::HiddenStates>()) {
          const auto& states = content.get_as<v1::HiddenStates>(0);
          if (states.values_size() > 0) hidden_states[states.plan().step()].push_back(states.values().data());
        }
        return fate::pass;
      });
    };
  };
  simulated_troupe troupe(1, config);
  troupe.tracker().submit(make_request(2, 9, 12));
  troupe.tracker().submit(make_request(5, 3, 14));
  REQUIRE(troupe.run());
  REQUIRE(hidden_states.size() >= 14);
  for (const auto& [step, places] : hidden_states) {
    CHECK(places.size() == 3); // Two layers and the output,
    CHECK(std::set(places.begin(), places.end()).size() == 1); // one buffer.
  }
  REQUIRE(requests.size() >= 14 * (2 * 4 + 1));
  for (const auto& [key, objects] : requests) {
    CHECK(receivers[key] == 2); // Two heads, or two shards,
    CHECK(objects.size() == 1); // one message.
  }
  CHECK(troupe.close() == 0);
}

TEST_CASE("the logits of a step are held once, however many actors read them", "[faults]") {
  const auto parts = make_parts(open_model(write_tiny_model({.layers = 1, .width = 32, .vocabulary = 8192})), {.shards = 2});
  auto config = small_troupe();
  config.model = parts;
  config.words = nullptr;
  simulated_troupe troupe(1, config);
  for (uint32_t i = 0; i < 3; ++i)
    troupe.tracker().submit(make_request(2 * i, 1, 12)); // From the first step on, one row each.
  const allocation_count count(3 * 8192 * sizeof(float));
  REQUIRE(troupe.run());
  const auto large = count.large_allocations();
  const auto statistics = troupe.statistics();
  const uint64_t steps = statistics.decode().steps() + statistics.prefill().steps();
  CHECK(steps >= 8);
  CHECK(large >= 1);
  CHECK(large <= steps); // Fewer: a message's memory is used again.
  CHECK(troupe.close() == 0);
}

} // namespace troupe
