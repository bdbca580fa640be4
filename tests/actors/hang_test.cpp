// Goal: whoever hangs (lives, and handles nothing) is noticed and replaced, whatever part it plays, and nobody else is.
// Method: supervisors with children that are deaf; a simulated troupe in which one actor stops running; the same on real threads
// with a fault plan. The clock is the simulation's.
#include "actors/faults/plan.hpp"
#include "actors/usual_time.hpp"
#include "live_troupe.hpp"
#include "simulated_requests.hpp"
#include "supervision_stage.hpp"

#include <cstdio>

namespace troupe {

using namespace testing;
using namespace std::chrono_literals;
using strings = std::vector<std::string>;

namespace {

void check(const supervisor_actor& who) { caf::anon_send(who, v1::CheckLife{}); }

child_spec deaf_child(stage& st, const std::string& path) {
  auto spec = st.deaf(path);
  spec.gives_signs = true;
  return spec;
}

} // namespace

TEST_CASE("a child that gives no sign of life is replaced after its looks, and nobody else", "[hang]") {
  stage st;
  auto s = st.supervise({}, {st.lively("/s/a"), deaf_child(st, "/s/b"), st.deaf("/s/c")});
  st.take_events();
  check(s);
  st.sim.run_for(499ms);
  CHECK(st.take_events().empty());
  st.sim.run_for(2ms);
  CHECK(st.take_events() == strings{"+/s/b"}); // Not /s/c: it gives no signs, so nobody waits for one.
  CHECK(st.last_decision().reason() == "abandoned: it gives no sign of life");
}

TEST_CASE("nobody is asked for signs of life unless somebody misses something, and not too often then", "[hang]") {
  stage st;
  auto s = st.supervise({}, {st.lively("/s/a")});
  st.sim.run_for(10s);
  CHECK(st.checks == 0);
  for (int i = 0; i < 1000; ++i) {
    check(s);
    st.sim.run_for(1ms);
  }
  CHECK(st.checks == 2);
  CHECK(st.sim.run_to_idle(100)); // No tick goes on.
}

TEST_CASE("whoever is asked asks those below, so that the one that hangs is found at any depth", "[hang]") {
  stage st;
  std::vector<child_spec> below;
  below.push_back(deaf_child(st, "/top/s/a"));
  auto top = st.supervise({}, {supervisor_child("/top/s", {}, std::move(below), st.directory)}, "/top");
  st.take_events();
  check(top);
  st.sim.run_for(501ms);
  CHECK(st.take_events() == strings{"+/top/s/a"});
  CHECK(st.last_decision().supervisor() == "/top/s");
}

TEST_CASE("a supervisor that hangs does not get the time to stop that one that lives may take", "[hang]") {
  stage st;
  auto hung = deaf_child(st, "/s/a");
  hung.shutdown_max = 1h;
  auto busy = st.deaf("/s/b/c");
  busy.shutdown_max = 20s;
  std::vector<child_spec> below;
  below.push_back(std::move(busy));
  auto s = st.supervise({}, {std::move(hung), supervisor_child("/s/b", {}, std::move(below), st.directory)});
  bool over = false;
  s->attach_functor([&](const caf::error&) { over = true; });
  caf::anon_send_exit(s, caf::exit_reason::user_shutdown);
  st.sim.run_for(40s);
  CHECK_FALSE(over); // /s/b waits 2 * 20 s for its child, and says all the time that it lives.
  st.sim.run_for(501ms);
  CHECK(over);
  CHECK(st.close() == 0);
}

TEST_CASE("several that are late at once get another round; who is late again is replaced", "[hang]") {
  stage st;
  auto s = st.supervise({}, {deaf_child(st, "/s/a"), deaf_child(st, "/s/b"), st.lively("/s/c")});
  st.take_events();
  check(s);
  st.sim.run_for(999ms);
  CHECK(st.take_events().empty());
  st.sim.run_for(2ms);
  CHECK(st.take_events() == strings{"+/s/a", "+/s/b"});
}

TEST_CASE("a process that stood still for long takes nobody for hung", "[hang]") {
  for (const uint64_t seed : seeds(50)) {
    INFO("TROUPE_SEED=" << seed);
    stage st(seed);
    auto s = st.supervise({}, {st.lively("/s/a"), st.lively("/s/b")});
    st.take_events();
    check(s);
    for (int i = 0; i < 20; ++i) st.sim.step();
    st.sim.jump(1h);
    st.sim.run_for(10s);
    CHECK(st.take_events().empty());
  }
}

TEST_CASE("who is replaced again and again for giving no sign gets more and more time", "[hang]") {
  stage st;
  auto s = st.supervise({}, {deaf_child(st, "/s/a")});
  st.take_events();
  for (int i = 0; i < 600; ++i) {
    check(s);
    st.sim.run_for(100ms);
  }
  const auto starts = st.take_events().size(); // In a minute: after 0.5, 1, 2, 4, 8, 8 ... s.
  CHECK(starts >= 6);
  CHECK(starts <= 12);
}

TEST_CASE("whoever hangs while requests run, all of them finish with the reference's bytes", "[hang]") {
  const strings parts{paths::directory,
                      paths::runtime,
                      paths::scheduler,
                      paths::sequences,
                      paths::sequences + "/",
                      paths::supervisor(paths::replica(0)),
                      paths::supervisor(paths::layer(0, 1)),
                      paths::supervisor(paths::output(0)),
                      paths::layer(0, 0),
                      paths::embedding(0),
                      paths::output(0)};
  for (const auto& part : parts) {
    for (const uint64_t seed : seeds(40)) {
      INFO("TROUPE_SEED=" << seed << " " << part);
      simulated_troupe troupe(seed, small_troupe());
      submit_all(troupe);
      const player* victim = nullptr;
      int wait = 50 + int(troupe.sim.draw(500));
      const auto begin = troupe.sim.now();
      REQUIRE(troupe.run([&] {
        if (victim || --wait > 0) return;
        for (const auto& [path, who] : troupe.cast)
          if (who.lock() && (path == part || (part.back() == '/' && path.starts_with(part)))) victim = troupe.find_player(path);
        if (!victim) return;
        troupe.sim.freeze(victim->id);
        // Its supervisor shows whether it hangs only when it is needed.
        if (part == paths::supervisor(paths::layer(0, 1))) troupe.kill(troupe.find(paths::head(paths::layer(0, 1), 0)), true);
        if (part == paths::supervisor(paths::output(0))) troupe.kill(troupe.find(paths::shard(paths::output(0), 0)), true);
        if (part == paths::supervisor(paths::replica(0))) troupe.kill(troupe.find(paths::embedding(0)), true);
        if (part == paths::runtime) troupe.kill(troupe.find(paths::scheduler), true);
        if (part == paths::directory) troupe.kill(troupe.find(paths::layer(0, 0)), true);
        if (part == paths::sequences)
          for (const auto& [path, who] : troupe.cast)
            if (path.starts_with(paths::sequences + "/") && who.lock()) return troupe.kill(who.lock(), true);
      }));
      CHECK(victim);
      check_outcomes(troupe.outcomes);
      CHECK(troupe.sim.now() - begin < 20s);
      CHECK(troupe.close() == 0);
    }
  }
}

TEST_CASE("whoever asks for the directory while there is none is told once there is one", "[hang]") {
  for (const uint64_t seed : seeds(20)) {
    INFO("TROUPE_SEED=" << seed);
    int asked = 0;
    observers watch;
    watch.traffic = [&](letter& here) {
      asked += here.facts.name == "Subscribe" && here.from && here.from->path == "client";
      return fate::pass;
    };
    simulated_troupe troupe(seed, small_troupe(), watch);
    submit_all(troupe);
    int wait = 300;
    const auto begin = troupe.sim.now();
    REQUIRE(troupe.run([&] {
      if (--wait != 0) return;
      // Until that one is given up, the troupe cannot be stopped, and the directory not be started again.
      troupe.sim.freeze(troupe.find_player(paths::supervisor(paths::layer(0, 0)))->id);
      troupe.kill(troupe.find(paths::directory), true);
    }));
    check_outcomes(troupe.outcomes);
    CHECK(asked <= 5);
    CHECK(troupe.sim.now() - begin < 10s); // Not the grace that a supervisor has for stopping.
    CHECK(troupe.close() == 0);
  }
}

TEST_CASE("on real threads, too, whoever hangs is replaced", "[hang]") {
  // Who hangs, and who dies so that it is missed.
  const std::vector<std::pair<std::string, std::string>> pairs{{"/directory", "/replica/0/layer/0"},
                                                               {"/supervisor", "/scheduler"},
                                                               {"/scheduler", "/replica/0/embedding"},
                                                               {"/sequences", "/sequences/*"},
                                                               {"/sequences/*", "/replica/0/layer/0/head/1"},
                                                               {"/replica/0/layer/1/supervisor", "/replica/0/layer/1/head/0"}};
  for (const auto& [path, other] : pairs) {
    INFO(path);
    const auto plan = parse_fault_plan(
      R"({"faults": [{"name": "hang", "selector": {"path": ")" + path + R"("}, "trigger": {"after_ms": 0.5}, "effect": {"hang": {}}},
                     {"selector": {"path": ")" + other + R"("}, "trigger": {"after_fault": "hang", "nth_message": 1}, "effect": {"kill": {}}}]})");
    engine troupe(tiny_parts()->file, {.threads = 2, .fault_plan = std::make_shared<v1::FaultPlan>(plan)});
    std::optional client(troupe.connect());
    const auto start = std::chrono::steady_clock::now();
    const auto is_early = [&] { return std::chrono::steady_clock::now() - start < 20s; };
    int rounds = 0, finished = 0, tokens = 0;
    do { // A round takes few milliseconds: on a busy machine it may be over before anybody is struck.
      ++rounds;
      for (int i = 0; i < 3; ++i) {
        generate_request request;
        request.prompt = {260, 261, uint32_t(262 + i)};
        request.tokens_max = 25;
        request.ignore_end_of_generation = true;
        client->submit(request);
      }
      while (client->pending() > 0 && is_early())
        for (auto event = client->next(100ms); event; event = client->next(0ms)) {
          finished += event->kind == event_kind::finished && event->reason == finish_reason::length;
          tokens += event->kind == event_kind::token;
        }
    } while (troupe.fault_log().strikes_size() < 2 && is_early());
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    CHECK(finished == 3 * rounds);
    CHECK(tokens == 75 * rounds);
    std::printf("%-30s hangs: all done after %7.2f ms\n", path.c_str(), took.count());
    CHECK(troupe.fault_log().strikes_size() == 2);
    client.reset();
    CHECK(troupe.stop() == 0);
  }
}

TEST_CASE("one outlier is no habit, two are", "[hang]") {
  usual_time time;
  CHECK_FALSE(time.is_known());
  time.add(61e9); // A clock that jumped during the very first step.
  CHECK(time.is_known());
  time.add(1e6);
  CHECK(time.value() == 1e6);
  for (int i = 0; i < 40; ++i) time.add(2e6);
  time.add(61e9);
  CHECK(time.value() == 2e6);
  time.add(3e6);
  CHECK(time.value() == 3e6);
  time.add(5e9);
  CHECK(time.value() == 5e9); // Twice slow of late.
  for (int i = 0; i < 32; ++i) time.add(2e6);
  CHECK(time.value() == 2e6);
}

} // namespace troupe
