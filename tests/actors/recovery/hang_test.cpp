// Goal: an actor that hangs (it has not ended, and handles nothing) is detected and replaced, whatever its role, and no other
// is. Method: supervisors with children that handle nothing; a simulated troupe in which one actor stops running; the same on
// real threads with a fault plan. The clock is the simulation's.
#include "actors/engine.hpp"
#include "actors/faults/plan.hpp"
#include "actors/live_troupe.hpp"
#include "actors/supervision/duration_estimate.hpp"
#include "actors/simulated_requests.hpp"
#include "actors/supervision/supervision_fixture.hpp"

#include <cstdio>

namespace troupe {

using namespace testing;
using namespace std::chrono_literals;
using strings = std::vector<std::string>;

namespace {

void check(const supervisor_actor& one) { caf::anon_send(one, v1::CheckLiveness{}); }

child_spec deaf_child(stage& st, const std::string& path) {
  auto spec = st.deaf(path);
  spec.answers_liveness_checks = true;
  return spec;
}

} // namespace

TEST_CASE("a child that does not answer liveness checks is replaced after its ticks, and no other", "[hang]") {
  stage st;
  auto s = st.supervise({}, {st.lively("/s/a"), deaf_child(st, "/s/b"), st.deaf("/s/c")});
  st.take_events();
  check(s);
  st.sim.run_for(499ms);
  CHECK(st.take_events().empty());
  st.sim.run_for(2ms);
  CHECK(st.take_events() == strings{"+/s/b"}); // Not /s/c: it is not said to answer them, so no reply is due.
  CHECK(st.last_decision().reason() == "abandoned: it does not answer a liveness check");
}

TEST_CASE("a reply is late by the time in which the threads had the processors, however little of each tick that was", "[hang]") {
  const auto ticks_until_late = [](caf::timespan ran, uint32_t patience) {
    liveness_check check;
    check.ask(1);
    int ticks = 1;
    while (!check.tick(ran, patience) && ticks < 1000) ++ticks;
    return ticks;
  };
  CHECK(ticks_until_late(100ms, 1) == 5);
  CHECK(ticks_until_late(99ms, 1) == 5); // Not six because of a trifle.
  CHECK(ticks_until_late(100ms, 16) == 80);
  CHECK(ticks_until_late(30ms, 1) == 15); // Beside two busy processes.
  CHECK(ticks_until_late(5ms, 1) == 90);
  CHECK(ticks_until_late(0ms, 1) == 1000);
  liveness_check check;
  check.ask(1);
  for (int i = 0; i < 4; ++i) CHECK_FALSE(check.tick(100ms));
  check.reset_ticks();
  for (int i = 0; i < 4; ++i) CHECK_FALSE(check.tick(100ms));
  CHECK(check.tick(100ms));
}

TEST_CASE("children are sent liveness checks only when their supervisor gets one, and not too often then", "[hang]") {
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

TEST_CASE("supervisors pass liveness checks on to their children, so that an actor that hangs is found at any depth", "[hang]") {
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

TEST_CASE("a supervisor that hangs is not given the time for stopping that one that does not hang is given", "[hang]") {
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
  CHECK_FALSE(over); // /s/b waits 2 * 20 s for its child, and answers liveness checks all the time.
  st.sim.run_for(501ms);
  CHECK(over);
  CHECK(st.close() == 0);
}

TEST_CASE("several children that are late at once get another round; those that are late again are replaced", "[hang]") {
  stage st;
  auto s = st.supervise({}, {deaf_child(st, "/s/a"), deaf_child(st, "/s/b"), st.lively("/s/c")});
  st.take_events();
  check(s);
  st.sim.run_for(999ms);
  CHECK(st.take_events().empty());
  st.sim.run_for(2ms);
  CHECK(st.take_events() == strings{"+/s/a", "+/s/b"});
}

TEST_CASE("after a process stood still for long no actor is taken for hung", "[hang]") {
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

TEST_CASE("a child that is replaced again and again for not answering gets more and more time", "[hang]") {
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

TEST_CASE("whichever actor hangs while requests run, all of them finish with the reference's bytes", "[hang]") {
  const strings all{paths::directory,
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
  for (const auto& hung : all) {
    for (const uint64_t seed : seeds(40)) {
      INFO("TROUPE_SEED=" << seed << " " << hung);
      simulated_troupe troupe(seed, small_troupe());
      submit_all(troupe);
      const actor_record* target = nullptr;
      int wait = 50 + int(troupe.sim.draw(500));
      const auto begin = troupe.sim.now();
      REQUIRE(troupe.run([&] {
        if (target || --wait > 0) return;
        for (const auto& [path, handle] : troupe.newest)
          if (handle.lock() && (path == hung || (hung.back() == '/' && path.starts_with(hung))))
            target = troupe.find_record(path);
        if (!target) return;
        troupe.sim.freeze(target->id);
        // That a supervisor hangs shows only when one of its children ends.
        if (hung == paths::supervisor(paths::layer(0, 1))) troupe.kill(troupe.find(paths::head(paths::layer(0, 1), 0)), true);
        if (hung == paths::supervisor(paths::output(0))) troupe.kill(troupe.find(paths::shard(paths::output(0), 0)), true);
        if (hung == paths::supervisor(paths::replica(0))) troupe.kill(troupe.find(paths::embedding(0)), true);
        if (hung == paths::runtime) troupe.kill(troupe.find(paths::scheduler), true);
        if (hung == paths::directory) troupe.kill(troupe.find(paths::layer(0, 0)), true);
        if (hung == paths::sequences)
          for (const auto& [path, handle] : troupe.newest)
            if (paths::is_sequence(path) && handle.lock()) return troupe.kill(handle.lock(), true);
      }));
      CHECK(target);
      check_outcomes(troupe.outcomes);
      CHECK(troupe.sim.now() - begin < 20s);
      CHECK(troupe.close() == 0);
    }
  }
}

TEST_CASE("an actor that asks for the directory while there is none is told once there is one", "[hang]") {
  for (const uint64_t seed : seeds(20)) {
    INFO("TROUPE_SEED=" << seed);
    int asked = 0;
    observers watch;
    watch.traffic = [&](message_record& here) {
      asked += here.facts.name == "Subscribe" && here.from && here.from->path == "client";
      return fate::pass;
    };
    simulated_troupe troupe(seed, small_troupe(), watch);
    submit_all(troupe);
    int wait = 300;
    const auto begin = troupe.sim.now();
    REQUIRE(troupe.run([&] {
      if (--wait != 0) return;
      // Until this supervisor is given up, the troupe cannot be stopped, and the directory not be started again.
      troupe.sim.freeze(troupe.find_record(paths::supervisor(paths::layer(0, 0)))->id);
      troupe.kill(troupe.find(paths::directory), true);
    }));
    check_outcomes(troupe.outcomes);
    CHECK(asked <= 5);
    CHECK(troupe.sim.now() - begin < 10s); // Not the time that a supervisor is given for stopping.
    CHECK(troupe.close() == 0);
  }
}

TEST_CASE("on real threads, too, an actor that hangs is replaced", "[hang]") {
  // The actor that hangs, and one that is killed so that its absence shows.
  const std::vector<std::pair<std::string, std::string>> pairs{{"/directory", "/replica/0/layer/0"},
                                                               {"/supervisor", "/scheduler"},
                                                               {"/scheduler", "/replica/0/embedding"},
                                                               {"/sequences", "/sequences/*"},
                                                               {"/sequences/*", "/replica/0/layer/0/head/1"},
                                                               {"/replica/0/layer/1/supervisor", "/replica/0/layer/1/head/0"}};
  for (const auto& [path, other] : pairs) {
    INFO(path);
    const auto plan = parse_fault_plan(
      R"({"faults": [{"name": "hang", "selector": {"path": ")" + path + R"("},
                      "trigger": {"after_ms": 0.5}, "effect": {"hang": {}}},
                     {"selector": {"path": ")" + other + R"("},
                      "trigger": {"after_fault": "hang", "nth_message": 1}, "effect": {"kill": {}}}]})");
    engine troupe(tiny_parts()->file, {.threads = 2, .fault_plan = std::make_shared<v1::FaultPlan>(plan)});
    std::optional client(troupe.connect());
    const auto start = std::chrono::steady_clock::now();
    const auto is_early = [&] { return std::chrono::steady_clock::now() - start < 20s; };
    int rounds = 0, finished = 0, tokens = 0;
    do { // A round takes few milliseconds: on a busy machine it may be over before a fault is injected.
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
    } while (troupe.fault_log().injections_size() < 2 && is_early());
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    CHECK(finished == 3 * rounds);
    CHECK(tokens == 75 * rounds);
    std::printf("%-30s hangs: all done after %7.2f ms\n", path.c_str(), took.count());
    CHECK(troupe.fault_log().injections_size() == 2);
    client.reset();
    CHECK(troupe.stop() == 0);
  }
}

TEST_CASE("one outlier does not change a duration estimate, two do", "[hang]") {
  duration_estimate time;
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
