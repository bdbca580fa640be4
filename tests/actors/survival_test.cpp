// Goal: kill any actor below the root at any moment, and every request still finishes with the same tokens and logits.
// Method: three generations and one scoring request run on real threads; one actor is struck when the first generation has
// so many tokens; the outcome is compared with the undisturbed one. For each kind of actor, by kill and by exception.
#include "live_troupe.hpp"
#include "support/catch.hpp"
#include "model/testing/tiny_model.hpp"

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
  std::chrono::microseconds pause{0};               // At most this long was the wait between two events, strike included.
  bool struck = false;
};

/// Rows may be delivered again after a replay, differently cut: one row for each position.
void take_rows(outcome& result, const generation_event& event) {
  for (size_t row = 0; row * event.width < event.values.size(); ++row) {
    const auto* first = event.values.data() + row * event.width;
    result.logits[event.position + uint32_t(row)].assign(first, first + event.width);
  }
}

/// Runs the requests; calls strike once, when the first generation has `at` tokens.
template <class Strike> outcome run(testing::live_troupe& troupe, uint32_t at, Strike strike) {
  auto& desk = troupe.desk();
  outcome result;
  const uint64_t first = desk.submit(make_request(1, 9, 300, 0));
  desk.submit(make_request(2, 14, 310, 0));
  desk.submit(make_request(3, 5, 320, 0.9f));
  auto scoring = make_request(4, 90, 0, 0);
  scoring.set_want_logits(true);
  desk.submit(std::move(scoring));
  auto last = clock_type::now();
  while (!desk.pending().empty()) {
    if (!result.struck && result.tokens[0].size() >= at) {
      result.struck = true;
      last = clock_type::now(); // An upper bound: finding the victim and waiting for its end count as pause.
      strike();
    }
    if (!desk.receive(std::chrono::seconds(10))) break; // Stuck: the comparison will say so.
    for (; !desk.events().empty(); desk.events().pop_front()) {
      const auto& event = desk.events().front();
      const auto now = clock_type::now();
      if (result.struck)
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
  std::function<void(const caf::strong_actor_ptr&)> offend; // Sends what breaks an invariant; empty: kill only.
};

template <class Message> void send(const caf::strong_actor_ptr& to, Message message) {
  caf::anon_send(caf::actor_cast<caf::actor>(to), std::move(message));
}

void offend_stage(const caf::strong_actor_ptr& to) {
  v1::HiddenStates bad;
  fill_plan(*bad.mutable_plan());
  bad.set_layer(9999);
  send(to, bad);
}
void offend_shard(const caf::strong_actor_ptr& to) {
  v1::ProjectStep bad; // No rows.
  bad.set_epoch(far);
  bad.set_step(far);
  caf::scoped_actor self{*to->home_system};
  self->send(caf::actor_cast<projection_shard_actor>(to), bad); // Shards look at who asks.
}
void offend_head(const caf::strong_actor_ptr& to) {
  v1::AttendStep bad; // One row of one column, and no values.
  fill_plan(*bad.mutable_plan());
  bad.set_width(1);
  caf::scoped_actor self{*to->home_system};
  self->send(caf::actor_cast<attention_head_actor>(to), bad);
}
void offend_embedding(const caf::strong_actor_ptr& to) {
  v1::ForwardStep bad; // One row, no token.
  fill_plan(*bad.mutable_plan());
  send(to, bad);
}
void offend_sequence(const caf::strong_actor_ptr& to) {
  v1::LogitsResult bad;
  fill_plan(*bad.mutable_plan(), to->id());
  bad.set_vocabulary(1);
  send(to, bad);
}
void offend_scheduler(const caf::strong_actor_ptr& to) {
  caf::scoped_actor self{*to->home_system};
  self->send(caf::actor_cast<scheduler_actor>(to), v1::JoinBatch{}); // No tokens.
}
void offend_supervisor(const caf::strong_actor_ptr& to) { send(to, v1::AbandonActor{}); }

std::vector<role> roles() {
  return {{"attention head", "/replica/0/layer/1/head/0", offend_head},
          {"projection shard", "/replica/0/layer/1/shard/1", offend_shard},
          {"layer", "/replica/0/layer/1", offend_stage},
          {"embedding", "/replica/0/embedding", offend_embedding},
          {"output", "/replica/0/output", offend_stage},
          {"output shard", "/replica/0/output/shard/0", offend_shard},
          {"sequence", "/sequences/*", offend_sequence},
          {"scheduler", "/scheduler", offend_scheduler},
          {"sequences", "/sequences", offend_supervisor},
          {"layer supervisor", "/replica/0/layer/2/supervisor", offend_supervisor},
          {"output supervisor", "/replica/0/output/supervisor", offend_supervisor},
          {"replica supervisor", "/replica/0/supervisor", offend_supervisor},
          {"runtime supervisor", "/supervisor", offend_supervisor},
          {"directory", "/directory", {}}};
}

caf::strong_actor_ptr find(testing::live_troupe& troupe, std::string path) {
  if (path.back() != '*') return troupe.find(path);
  path.pop_back();
  const auto all = troupe.paths();
  const auto last = std::find_if(all.rbegin(), all.rend(), [&](const auto& known) { return known.starts_with(path); });
  return last == all.rend() ? nullptr : troupe.find(*last);
}

const outcome& undisturbed() {
  static const outcome calm = [] {
    testing::live_troupe troupe(tiny_parts());
    auto result = run(troupe, 1, [] {});
    troupe.shut_down();
    return result;
  }();
  return calm;
}

void check_same(const outcome& disturbed) {
  const auto& calm = undisturbed();
  CHECK(disturbed.struck);
  CHECK(disturbed.tokens == calm.tokens);
  CHECK(disturbed.ends == calm.ends);
  CHECK(disturbed.logits == calm.logits);
}

} // namespace

TEST_CASE("the undisturbed requests do what they were asked for") {
  const auto& calm = undisturbed();
  REQUIRE(calm.ends.size() == 4);
  for (const auto& [request, end] : calm.ends) CHECK(end == "length");
  CHECK(calm.tokens.at(0).size() == 300);
  CHECK(calm.tokens.at(1).size() == 310);
  CHECK(calm.tokens.at(2).size() == 320);
  CHECK(calm.logits.size() == 90);
}

TEST_CASE("whatever actor is struck, all requests finish with the same tokens and logits") {
  for (const auto& role : roles()) {
    for (const bool by_kill : {true, false}) {
      if (!by_kill && !role.offend) continue;
      testing::live_troupe troupe(tiny_parts());
      std::chrono::microseconds pause{0};
      int missed = 0, in_flight = 0;
      for (const uint32_t at : {1u, 9u, 40u}) {
        INFO(role.name << (by_kill ? " killed" : " made to throw") << " at token " << at);
        bool ended = false;
        const auto result = run(troupe, at, [&] {
          const auto victim = find(troupe, role.path);
          const auto present = troupe.paths();
          in_flight += std::any_of(present.begin(), present.end(), [](const auto& p) { return p.starts_with("/sequences/"); });
          // Tokens are read after they were made: by now every sequence may be done. Once of three times is one there.
          if (!victim && std::string(role.path).back() == '*') {
            ended = ++missed < 3;
            return;
          }
          REQUIRE(victim);
          caf::scoped_actor watcher{troupe.system()};
          watcher->monitor(caf::actor_cast<caf::actor>(victim));
          if (by_kill) caf::anon_send_exit(victim, caf::exit_reason::kill);
          else role.offend(victim);
          watcher->receive([&](const caf::down_msg&) { ended = true; },
                           caf::after(std::chrono::seconds(5)) >> [] {});
        });
        CHECK(ended); // The blow struck.
        check_same(result);
        pause = std::max(pause, result.pause);
      }
      CHECK(in_flight >= 1); // A strike after the last token would prove nothing.
      CHECK(troupe.shut_down() == 0);
      std::printf("%-20s %-9s pause at most %7.2f ms, %d of 3 strikes while requests ran\n", role.name,
                  by_kill ? "kill" : "exception", double(pause.count()) / 1000, in_flight);
    }
  }
}

TEST_CASE("under a storm of kills all requests finish with the same tokens and logits") {
  for (const uint64_t seed : {1, 2, 3, 4, 5}) {
    INFO("seed " << seed);
    testing::raw_bits bits{seed};
    testing::live_troupe troupe(tiny_parts());
    std::atomic<bool> done = false;
    std::thread storm([&] { // The one thread of the test that is not an actor's: it only sends exits.
      for (int i = 0; i < 12 && !done; ++i) {
        const auto all = troupe.paths();
        if (!all.empty())
          if (const auto victim = troupe.find(all[bits.below(all.size())]))
            caf::anon_send_exit(victim, caf::exit_reason::kill);
        std::this_thread::sleep_for(std::chrono::microseconds(bits.below(3000)));
      }
    });
    const auto result = run(troupe, 0, [] {});
    done = true;
    storm.join();
    check_same(result);
    CHECK(troupe.shut_down() == 0);
  }
}

} // namespace troupe
