// Goal: layers in worker processes give the same bits, and outlive them: real processes, real signals.
#include "actors/engine.hpp"
#include "model/error.hpp"
#include "model/testing/tiny_encoder.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <functional>
#include <map>
#include <thread>

namespace troupe {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

cluster_options with_workers(uint32_t workers, uint32_t spares = 0) {
  cluster_options cluster;
  cluster.local_workers = workers;
  cluster.local_spares = spares;
  cluster.program = TROUPE_PROGRAM;
  return cluster;
}

engine_options two_threads(uint32_t replicas) {
  engine_options options;
  options.threads = 2;
  options.replicas = replicas;
  return options;
}

/// All that came of some requests, by their numbers: tokens, values, hypotheses, ends.
struct outcome {
  std::vector<uint32_t> tokens;
  std::vector<float> values;
  std::vector<float> scores;
  std::string end;
  bool operator==(const outcome& other) const {
    const auto same = [](const auto& a, const auto& b) {
      return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * 4) == 0;
    };
    return tokens == other.tokens && same(values, other.values) && same(scores, other.scores) && end == other.end;
  }
};

/// `between`: called between two events.
std::vector<outcome> run(engine& runs, const std::vector<generate_request>& requests, const std::function<void()>& between = [] {}) {
  auto client = runs.connect();
  std::map<uint64_t, size_t> places;
  std::vector<outcome> outcomes(requests.size());
  for (size_t i = 0; i < requests.size(); ++i) places[client.submit(requests[i])] = i;
  while (client.pending() > 0) {
    if (const auto event = client.next(5ms)) {
      auto& one = outcomes[places.at(event->request)];
      one.values.insert(one.values.end(), event->values.begin(), event->values.end());
      if (event->kind == event_kind::token) one.tokens.push_back(event->token);
      if (event->kind != event_kind::finished) continue;
      one.end = std::string(to_string(event->reason)) + event->error;
      for (const auto& each : event->hypotheses) {
        one.tokens.insert(one.tokens.end(), each.tokens.begin(), each.tokens.end());
        one.scores.push_back(float(each.score));
      }
    }
    between();
  }
  return outcomes;
}

/// Long and short prompts; each with a seed of its own.
std::vector<generate_request> requests_of(uint32_t count, uint32_t tokens) {
  std::vector<generate_request> all;
  for (uint32_t i = 0; i < count; ++i) {
    generate_request one{.prompt = std::vector<uint32_t>(1 + 5 * i % 17, 7 + i), .tokens_max = tokens};
    one.sampling.temperature = 1;
    one.sampling.seed = i;
    one.ignore_end_of_generation = true;
    all.push_back(std::move(one));
  }
  return all;
}

std::filesystem::path long_model() { return testing::write_tiny_model({.layers = 4, .context = 512}); }

/// Waits until `is_so` for up to 20 seconds.
bool comes(const std::function<bool()>& is_so) {
  for (const auto end = clock::now() + 20s; clock::now() < end; std::this_thread::sleep_for(5ms))
    if (is_so()) return true;
  return false;
}

} // namespace

TEST_CASE("layers in one, two or three worker processes give the bits that layers in one process give", "[cluster]") {
  const auto file = open_model(long_model());
  auto requests = requests_of(4, 20);
  requests[0].want_logits = requests[1].want_hidden_states = true;
  requests[0].tokens_max = requests[1].tokens_max = 0;
  engine alone{file, {.threads = 2}};
  const auto expected = run(alone, requests);
  REQUIRE(!expected[0].values.empty());
  REQUIRE(!expected[1].values.empty());
  for (uint32_t workers = 1; workers <= 3; ++workers) {
    engine runs{file, two_threads(workers), with_workers(workers)};
    CHECK(run(runs, requests) == expected);
    CHECK(std::ranges::count(runs.workers(), "ready", &worker_facts::state) == int(workers));
    CHECK(runs.stop() == 0);
  }
}

TEST_CASE("an encoder's layers are computed by workers, too", "[cluster]") {
  for (const char* model_class : {"MarianMTModel", "T5ForConditionalGeneration", "BertForSequenceClassification"}) {
    INFO(model_class);
    const auto file = open_model(testing::write_tiny_encoder(model_class));
    std::vector<generate_request> requests(3);
    for (uint32_t i = 0; i < requests.size(); ++i) {
      if (file->spec.encoder) {
        requests[i].source = {3 + i, 4, 5};
        requests[i].tokens_max = 8;
        if (i == 2) requests[i].beams = beam_options{.beams = 3};
      } else {
        requests[i].prompt = {3 + i, 4, 5};
        requests[i].tokens_max = 0;
        requests[i].want_logits = true;
      }
    }
    engine alone{file, {.threads = 2}};
    const auto expected = run(alone, requests);
    engine runs{file, two_threads(2), with_workers(2)};
    CHECK(run(runs, requests) == expected);
  }
}

TEST_CASE("a worker that is killed, with or without a spare, costs no request a token", "[cluster]") {
  const auto file = open_model(long_model());
  const auto requests = requests_of(8, 400);
  engine alone{file, {.threads = 2}};
  const auto expected = run(alone, requests);
  for (const uint32_t spares : {0u, 1u}) {
    engine runs{file, two_threads(2), with_workers(2, spares)};
    uint32_t killed = 0;
    auto next = clock::now();
    const auto outcomes = run(runs, requests, [&] {
      if (clock::now() < next || killed == 6) return;
      next = clock::now() + 50ms;
      for (const auto& one : runs.workers())
        if (one.state == "ready" && !one.layers.empty() && kill(pid_t(one.process), SIGKILL) == 0) {
          ++killed;
          return;
        }
    });
    CHECK(killed > 1);
    CHECK(outcomes == expected);
    uint64_t lost = 0;
    for (const auto& one : runs.workers()) lost += one.times_lost;
    CHECK(lost > 1);
    CHECK(runs.stop() == 0);
  }
}

TEST_CASE("a worker that was stopped is given up while requests run, and they go on without it", "[cluster]") {
  const auto file = open_model(long_model());
  const auto requests = requests_of(4, 450);
  engine alone{file, {.threads = 2}};
  const auto expected = run(alone, requests);
  engine runs{file, two_threads(1), with_workers(1, 1)};
  std::string stopped; // The one that computes: who came last is the spare.
  bool is_gone = false;
  const auto start = clock::now();
  const auto outcomes = run(runs, requests, [&] {
    if (is_gone || clock::now() - start < 20ms) return;
    for (const auto& one : runs.workers()) {
      if (stopped.empty() && !one.layers.empty() && kill(pid_t(one.process), SIGSTOP) == 0) stopped = one.name;
      is_gone = is_gone || (one.name == stopped && one.times_lost > 0);
    }
  });
  REQUIRE(!stopped.empty());
  CHECK(outcomes == expected);
  CHECK(is_gone);
}

TEST_CASE("any actor of a cluster may be killed, on either side of a link", "[cluster]") {
  const auto file = open_model(long_model());
  const auto requests = requests_of(4, 450);
  engine alone{file, {.threads = 2}};
  const auto expected = run(alone, requests);
  engine runs{file, two_threads(2), with_workers(2)};
  const std::vector<std::string> victims{
    "/cluster", "/replica/0/remote_layers/0", "/replica/1/remote_layers/1", "/replica/0/layer/0", "/replica/1/layer/3/head/0",
    "/replica/0/layer/2/shard/0", "/replica/0/layer/3/supervisor", "/scheduler", "/cluster/worker/local-1", "/directory", "/supervisor"};
  for (const auto& victim : victims) {
    INFO(victim);
    bool was_killed = false;
    const auto outcomes = run(runs, requests, [&] {
      if (!was_killed) was_killed = runs.kill(victim);
    });
    CHECK(was_killed);
    CHECK(outcomes == expected);
  }
}

TEST_CASE("a drained worker gives its layers to others, and gets layers again when that is undone", "[cluster]") {
  const auto file = open_model(long_model());
  engine runs{file, two_threads(2), with_workers(2)};
  const auto layers = [&](const std::string& name) {
    for (const auto& one : runs.workers())
      if (one.name == name) return one.layers;
    return std::string("unknown");
  };
  CHECK(layers("local-0") == "0-1");
  CHECK(layers("local-1") == "2-3");
  CHECK(!runs.drain_worker("local-7"));
  REQUIRE(runs.drain_worker("local-0"));
  CHECK(comes([&] { return layers("local-1") == "0-1, 2-3" && layers("local-0").empty(); }));
  const auto requests = requests_of(2, 20);
  engine alone{file, {.threads = 1}};
  CHECK(run(runs, requests) == run(alone, requests));
  REQUIRE(runs.drain_worker("local-0", true));
  CHECK(comes([&] { return !layers("local-0").empty(); }));
  CHECK(run(runs, requests) == run(alone, requests));
}

TEST_CASE("an engine whose workers cannot be had does not start, and says why", "[cluster]") {
  const auto file = open_model(testing::write_tiny_model({}));
  auto cluster = with_workers(1);
  cluster.program = "/nonexistent/troupe";
  CHECK_THROWS_WITH(engine(file, two_threads(1), cluster), ContainsSubstring("/nonexistent/troupe"));
  cluster.program = "/bin/false";
  CHECK_THROWS_WITH(engine(file, two_threads(1), cluster), ContainsSubstring("exit code 1"));
}

} // namespace troupe
