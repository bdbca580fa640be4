// Goal: kill any actor below the root at any moment, and every request still finishes with the same tokens and logits.
// Method: three generations and one scoring request run on real threads; one actor is killed or made to throw when the first
// generation has so many tokens; the outcome is compared with the undisturbed one. For each kind of actor.
#include "actors/live_troupe.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <limits>
#include <map>
#include <thread>

namespace troupe {
namespace {

using clock_type = std::chrono::steady_clock;

std::shared_ptr<const model_parts> tiny_parts() {
  static const auto parts =
    make_parts(open_model(testing::write_tiny_model({.layers = 3, .context = 512})), {.shards = 2});
  return parts;
}

v1::GenerateRequest make_request(uint32_t first, uint32_t prompt, uint32_t tokens_max, float temperature) {
  v1::GenerateRequest request;
  for (uint32_t i = 0; i < prompt; ++i) request.add_prompt_tokens(260 + (first + 7 * i) % 50);
  request.set_tokens_max(tokens_max);
  request.set_ignore_end_of_generation(true);
  auto& sampling = *request.mutable_sampling();
  sampling.set_temperature(temperature);
  sampling.set_top_p(1);
  sampling.set_repetition_penalty(1);
  sampling.set_seed(11);
  return request;
}

struct outcome {
  std::map<uint64_t, std::vector<uint32_t>> tokens; // By request, counted from the first.
  std::map<uint32_t, std::vector<float>> logits;    // Of the scoring request, by position of the first row.
  std::map<uint64_t, std::string> ends;             // How each request finished.
  std::chrono::microseconds pause{0};               // At most this long was the wait between two events, the injection included.
  bool injected = false;
};

/// Rows may be delivered again after a replay, differently cut: one row for each position.
void take_rows(outcome& result, const generation_event& event) {
  for (size_t row = 0; row * event.width < event.values.size(); ++row) {
    const auto* first = event.values.data() + row * event.width;
    result.logits[event.position + uint32_t(row)].assign(first, first + event.width);
  }
}

/// Runs the requests; calls `inject` once, when the first generation has `at` tokens.
template <class Inject> outcome run(testing::live_troupe& troupe, uint32_t at, Inject inject) {
  auto& tracker = troupe.tracker();
  outcome result;
  const uint64_t first = tracker.submit(make_request(1, 9, 300, 0));
  tracker.submit(make_request(2, 14, 310, 0));
  tracker.submit(make_request(3, 5, 320, 0.9f));
  auto scoring = make_request(4, 90, 0, 0);
  scoring.set_want_logits(true);
  tracker.submit(std::move(scoring));
  auto last = clock_type::now();
  while (!tracker.pending().empty()) {
    if (!result.injected && result.tokens[0].size() >= at) {
      result.injected = true;
      last = clock_type::now(); // An upper bound: finding the target and waiting for its end count as pause.
      inject();
    }
    if (!tracker.receive(std::chrono::seconds(10))) break; // Stuck: the comparison will say so.
    for (; !tracker.events().empty(); tracker.events().pop_front()) {
      const auto& event = tracker.events().front();
      const auto now = clock_type::now();
      if (result.injected)
        result.pause = std::max(result.pause, std::chrono::duration_cast<std::chrono::microseconds>(now - last));
      last = now;
      if (event.kind == event_kind::token) result.tokens[event.request - first].push_back(event.token);
      if (event.kind == event_kind::logits) take_rows(result, event);
      if (event.kind == event_kind::finished)
        result.ends[event.request - first] = std::string(to_string(event.reason)) + event.error;
    }
  }
  return result;
}

constexpr uint64_t far = std::numeric_limits<uint64_t>::max();

/// A plan that claims one row of sequence `id`, newer than any real one.
void fill_plan(v1::StepPlan& plan, uint64_t id = 1) {
  plan.set_epoch(far);
  plan.set_step(far);
  plan.add_sequence_ids(id);
  plan.add_positions(0);
  plan.add_rows(1);
  plan.add_logits_rows(1);
}

struct role {
  const char* name;
  const char* path; // A trailing '*' means: the first path that begins so.
  std::function<void(const caf::strong_actor_ptr&)> make_throw; // Sends what breaks an invariant; empty: kill only.
};

template <class Message> void send(const caf::strong_actor_ptr& to, Message message) {
  caf::anon_send(caf::actor_cast<caf::actor>(to), std::move(message));
}

void make_stage_throw(const caf::strong_actor_ptr& to) {
  v1::HiddenStates bad;
  fill_plan(*bad.mutable_plan());
  bad.set_layer(9999);
  send(to, bad);
}
void make_shard_throw(const caf::strong_actor_ptr& to) {
  v1::ProjectStep bad; // No rows.
  bad.set_epoch(far);
  bad.set_step(far);
  caf::scoped_actor self{*to->home_system};
  self->send(caf::actor_cast<projection_shard_actor>(to), bad); // Shards look at the sender.
}
void make_head_throw(const caf::strong_actor_ptr& to) {
  v1::AttendStep bad; // One row of one column, and no values.
  fill_plan(*bad.mutable_plan());
  bad.set_width(1);
  caf::scoped_actor self{*to->home_system};
  self->send(caf::actor_cast<attention_head_actor>(to), bad);
}
void make_embedding_throw(const caf::strong_actor_ptr& to) {
  v1::ForwardStep bad; // One row, no token.
  fill_plan(*bad.mutable_plan());
  send(to, bad);
}
void make_sequence_throw(const caf::strong_actor_ptr& to) {
  v1::LogitsResult bad;
  fill_plan(*bad.mutable_plan(), to->id());
  bad.set_width(1);
  send(to, bad);
}
void make_scheduler_throw(const caf::strong_actor_ptr& to) {
  caf::scoped_actor self{*to->home_system};
  self->send(caf::actor_cast<scheduler_actor>(to), v1::JoinBatch{}); // No tokens.
}
void make_supervisor_throw(const caf::strong_actor_ptr& to) { send(to, v1::AbandonActor{}); }

std::vector<role> roles() {
  return {{"attention head", "/replica/0/layer/1/head/0", make_head_throw},
          {"projection shard", "/replica/0/layer/1/shard/1", make_shard_throw},
          {"layer", "/replica/0/layer/1", make_stage_throw},
          {"embedding", "/replica/0/embedding", make_embedding_throw},
          {"output", "/replica/0/output", make_stage_throw},
          {"output shard", "/replica/0/output/shard/0", make_shard_throw},
          {"sequence", "/sequences/*", make_sequence_throw},
          {"scheduler", "/scheduler", make_scheduler_throw},
          {"sequences", "/sequences", make_supervisor_throw},
          {"layer supervisor", "/replica/0/layer/2/supervisor", make_supervisor_throw},
          {"output supervisor", "/replica/0/output/supervisor", make_supervisor_throw},
          {"replica supervisor", "/replica/0/supervisor", make_supervisor_throw},
          {"runtime supervisor", "/supervisor", make_supervisor_throw},
          {"directory", "/directory", {}}};
}

caf::strong_actor_ptr find(testing::live_troupe& troupe, std::string path) {
  if (path.back() != '*') return troupe.find(path);
  path.pop_back();
  const auto all = troupe.paths();
  const auto last = std::find_if(all.rbegin(), all.rend(), [&](const auto& known) { return known.starts_with(path); });
  return last == all.rend() ? nullptr : troupe.find(*last);
}

const outcome& undisturbed_outcome() {
  static const outcome outcome_without_faults = [] {
    testing::live_troupe troupe(tiny_parts());
    auto result = run(troupe, 1, [] {});
    troupe.shut_down();
    return result;
  }();
  return outcome_without_faults;
}

void check_same(const outcome& disturbed) {
  const auto& undisturbed = undisturbed_outcome();
  CHECK(disturbed.injected);
  CHECK(disturbed.tokens == undisturbed.tokens);
  CHECK(disturbed.ends == undisturbed.ends);
  CHECK(disturbed.logits == undisturbed.logits);
}

} // namespace

TEST_CASE("the undisturbed requests do what they were asked for") {
  const auto& undisturbed = undisturbed_outcome();
  REQUIRE(undisturbed.ends.size() == 4);
  for (const auto& [request, end] : undisturbed.ends) CHECK(end == "length");
  CHECK(undisturbed.tokens.at(0).size() == 300);
  CHECK(undisturbed.tokens.at(1).size() == 310);
  CHECK(undisturbed.tokens.at(2).size() == 320);
  CHECK(undisturbed.logits.size() == 90);
}

TEST_CASE("whichever actor is killed or throws, all requests finish with the same tokens and logits") {
  for (const auto& role : roles()) {
    for (const bool by_kill : {true, false}) {
      if (!by_kill && !role.make_throw) continue;
      testing::live_troupe troupe(tiny_parts());
      std::chrono::microseconds pause{0};
      int missed = 0, in_flight = 0;
      for (const uint32_t at : {1u, 9u, 40u}) {
        INFO(role.name << (by_kill ? " killed" : " made to throw") << " at token " << at);
        bool ended = false;
        const auto result = run(troupe, at, [&] {
          const auto target = find(troupe, role.path);
          const auto present = troupe.paths();
          in_flight += std::any_of(present.begin(), present.end(), [](const auto& p) { return p.starts_with("/sequences/"); });
          // Tokens are read after they were made: by now every sequence may have ended. One time of three suffices.
          if (!target && std::string(role.path).back() == '*') {
            ended = ++missed < 3;
            return;
          }
          REQUIRE(target);
          caf::scoped_actor watcher{troupe.system()};
          watcher->monitor(caf::actor_cast<caf::actor>(target));
          if (by_kill) caf::anon_send_exit(target, caf::exit_reason::kill);
          else role.make_throw(target);
          watcher->receive([&](const caf::down_msg&) { ended = true; },
                           caf::after(std::chrono::seconds(5)) >> [] {});
        });
        CHECK(ended); // The fault was injected.
        check_same(result);
        pause = std::max(pause, result.pause);
      }
      CHECK(in_flight >= 1); // An injection after the last token would prove nothing.
      CHECK(troupe.shut_down() == 0);
      std::printf("%-20s %-9s pause at most %7.2f ms, %d of 3 injections while requests ran\n", role.name,
                  by_kill ? "kill" : "exception", double(pause.count()) / 1000, in_flight);
    }
  }
}

TEST_CASE("with many actors killed at random all requests finish with the same tokens and logits") {
  for (const uint64_t seed : {1, 2, 3, 4, 5}) {
    INFO("seed " << seed);
    testing::raw_bits bits{seed};
    testing::live_troupe troupe(tiny_parts());
    std::atomic<bool> done = false;
    std::thread killer([&] { // The one thread of the test that is not an actor's: it only sends exits.
      for (int i = 0; i < 12 && !done; ++i) {
        const auto all = troupe.paths();
        if (!all.empty())
          if (const auto target = troupe.find(all[bits.below(all.size())]))
            caf::anon_send_exit(target, caf::exit_reason::kill);
        std::this_thread::sleep_for(std::chrono::microseconds(bits.below(3000)));
      }
    });
    const auto result = run(troupe, 0, [] {});
    done = true;
    killer.join();
    check_same(result);
    CHECK(troupe.shut_down() == 0);
  }
}

} // namespace troupe
