// Goal: every effect a plan can have is injected, and all requests still finish with the reference's bytes. Method: the real
// actors in simulation, with the injector that the released program uses. TROUPE_SEED=n runs one seed alone.
#include "actors/faults/plan.hpp"
#include "actors/interfaces/roles.hpp"
#include "actors/simulated_requests.hpp"
#include "model/error.hpp"
#include "support/catch.hpp"

namespace troupe {
namespace {

using namespace testing;

std::shared_ptr<const v1::FaultPlan> plan_of(const std::string& faults, uint64_t seed = 1) {
  auto plan = parse_fault_plan("{\"faults\": [" + faults + "]}");
  plan.set_seed(seed);
  return std::make_shared<v1::FaultPlan>(std::move(plan));
}

std::string to_text(const v1::FaultLog& log) {
  std::string text;
  for (const auto& injection : log.injections())
    text += injection.fault() + " at " + injection.path() + " (" + injection.message() + "), ";
  return text;
}

/// Runs the three requests under the plan; whatever it does, they finish, and no actor is left over.
v1::FaultLog run_disturbed(uint64_t seed, const std::string& faults) {
  INFO("TROUPE_SEED=" << seed << " " << faults);
  simulated_troupe troupe(seed, small_troupe(), plan_of(faults, seed));
  submit_all(troupe);
  const bool finished = troupe.run();
  const auto log = troupe.fault_log();
  INFO(to_text(log));
  REQUIRE(finished);
  check_outcomes(troupe.outcomes);
  REQUIRE(troupe.close() == 0);
  return log;
}

/// The same for several seeds; the faults are injected every time.
void check_survived(const std::string& faults, int injections_min = 1, uint64_t seeds_max = 12) {
  for (const uint64_t seed : seeds(seeds_max)) {
    const auto log = run_disturbed(seed, faults);
    INFO("TROUPE_SEED=" << seed << " " << faults << ": " << to_text(log));
    CHECK(log.injections_size() >= injections_min);
    CHECK(log.unmatched_size() == 0);
  }
}

std::string on_actor(const std::string& path, const std::string& effect, const std::string& trigger = "") {
  return "{\"selector\": {\"path\": \"" + path + "\"}, \"effect\": {" + effect + "}, \"trigger\": {" + trigger + "}}";
}
std::string on_link(const std::string& link, const std::string& effect, const std::string& trigger = "") {
  return "{\"selector\": {" + link + "}, \"effect\": {" + effect + "}, \"trigger\": {" + trigger + "}}";
}

const std::string one_of_each_role[] = {
  "/replica/0/layer/1/head/0", "/replica/0/layer/0/shard/1", "/replica/0/layer/1", "/replica/0/embedding", "/replica/0/output",
  "/replica/0/output/shard/0", "/sequences/*", "/scheduler", "/sequences", "/replica/0/layer/1/supervisor",
  "/replica/0/output/supervisor", "/replica/0/supervisor", "/supervisor", "/directory"};

} // namespace

TEST_CASE("an injector whose faults never fire changes nothing", "[simulation][faults]") {
  for (const uint64_t seed : seeds(20)) {
    const auto log = run_disturbed(seed, on_link(R"("to": "/**")", R"("drop": {})", R"("nth_message": 1000000000)"));
    CHECK(log.injections_size() == 0);
    CHECK(log.messages() > 500);
    CHECK(log.restarts() == 0);
    CHECK(log.rows_replayed() == 0);
  }
}

TEST_CASE("an actor that throws, exits, is killed or runs out of memory is replaced", "[simulation][faults]") {
  for (const auto& path : one_of_each_role)
    for (const std::string effect : {R"("throw": {})", R"("exit": {})", R"("kill": {})", R"("allocation_failure": {})"}) {
      const bool gets_messages = path.find("supervisor") == std::string::npos && path != "/sequences" && path != "/directory";
      check_survived(on_actor(path, effect, R"("nth_message": 7)"), gets_messages ? 1 : 0, 3);
      check_survived(on_actor(path, effect, R"("after_ms": 0)"), path == "/sequences/*" ? 0 : 1, 3);
    }
}

TEST_CASE("a request whose sequences always throw ends with an error, and the others as if it were not there", "[simulation][faults]") {
  for (const uint64_t seed : seeds(12)) {
    INFO("TROUPE_SEED=" << seed);
    simulated_troupe troupe(seed, small_troupe(),
                            plan_of(on_actor("/sequences/*", R"("throw": {})", R"("request": 2, "probability": 1)"), seed));
    submit_all(troupe);
    REQUIRE(troupe.run());
    REQUIRE(troupe.outcomes.size() == 3);
    size_t failed = 0, at = 0;
    for (const auto& [id, out] : troupe.outcomes) {
      const auto& expected = wanted()[at++];
      if (difference(out, expected, true) == "") continue;
      ++failed;
      CHECK(at == 2);
      CHECK(out.end == "error");
      CHECK(out.error.find("this request failed 16 times in a row") == 0);
    }
    CHECK(failed == 1);
    CHECK(troupe.close() == 0);
  }
}

TEST_CASE("an actor throws although it drops the message that was to make it, unread", "[simulation][faults]") {
  const std::string head = "/replica/0/layer/1/head/0";
  for (const uint64_t seed : seeds(20)) {
    INFO("TROUPE_SEED=" << seed);
    simulated_troupe troupe(seed, small_troupe(), plan_of(on_actor(head, R"("throw": {})", R"("nth_message": 4)"), seed));
    submit_all(troupe);
    int steps = 0;
    REQUIRE(troupe.run([&] {
      // Of no step: dropped unread. Many of them, so that the fault hits one.
      if (const auto to = troupe.find(head); to && ++steps > 100 && steps < 2000)
        caf::anon_send(caf::actor_cast<attention_head_actor>(to), v1::AttendStep{});
    }));
    check_outcomes(troupe.outcomes);
    const auto log = troupe.fault_log();
    REQUIRE(log.injections_size() == 1);
    CHECK(log.restarts() == 1);
    CHECK(log.injections(0).has_recovered_ms());
    CHECK(troupe.close() == 0);
  }
}

TEST_CASE("an actor that hangs in a step is found and replaced", "[simulation][faults]") {
  for (const std::string path : {"/replica/0/layer/1/head/0", "/replica/0/layer/0/shard/1", "/replica/0/layer/1",
                                 "/replica/0/embedding", "/replica/0/output", "/replica/0/output/shard/0"}) {
    check_survived(on_actor(path, R"("hang": {})", R"("nth_message": 5)"), 1, 5);
    check_survived(on_actor(path, R"("hang": {"for_ms": 300})", R"("nth_message": 5)"), 1, 5);
  }
}

TEST_CASE("messages of a step may be late, lost, doubled, out of order or to an actor that has ended", "[simulation][faults]") {
  const std::string often = R"("probability": 0.01, "repeat": 8)"; // Eight failed steps in a row end the request.
  for (const std::string effect :
       {R"("drop": {})", R"("duplicate": {"copies": 2})", R"("delay": {"ms": 1, "jitter_ms": 50})", R"("reorder": {"by": 2})",
        R"("answer_late": {})", R"("flood": {"messages": 50})"})
    check_survived(on_link(R"("to": "/**")", effect, often), 1, 12);
  check_survived(on_actor("/replica/0/layer/1/head/0", R"("kill": {})", R"("nth_message": 4)") + "," +
                   on_actor("/replica/0/layer/1/head/0", R"("stale_handle": {})", R"("after_restart_of": "**/head/0")"),
                 2, 12);
}

TEST_CASE("an answer that is not finite or has the wrong shape costs a step, not the request", "[simulation][faults]") {
  for (const std::string from : {"/replica/0/layer/*/head/*", "/replica/0/layer/*/shard/*", "/replica/0/output/shard/*"})
    for (const std::string effect : {R"("not_a_number": {})", R"("infinite": {})", R"("wrong_shape": {})"})
      check_survived(on_link("\"from\": \"" + from + "\"", effect, R"("nth_message": 9)"), 1, 6);
  for (const std::string to : {"/replica/0/embedding", "/replica/0/layer/*", "/replica/0/output", "/replica/0/layer/1/head/0"})
    check_survived(on_link("\"to\": \"" + to + "\"", R"("wrong_shape": {})", R"("nth_message": 3)"), 1, 6);
}

TEST_CASE("slow actors, a clock that jumps, two faults at once, a fault during recovery", "[simulation][faults]") {
  check_survived(on_actor("/replica/0/layer/1/head/0", R"("slow_down": {"factor": 20, "added_ms": 3})", R"("nth_message": 3)"));
  check_survived(on_actor("/**", R"("clock_jump": {"ms": 5000})", R"("after_ms": 0)"), 1, 3);
  check_survived(on_actor("/replica/0/layer/1/head/0", R"("kill": {})", R"("nth_message": 4)") + "," +
                   on_actor("/replica/0/layer/0", R"("kill": {})", R"("after_fault": "kill")"), 2);
  check_survived(on_actor("/replica/0/layer/1/head/0", R"("kill": {})", R"("nth_message": 4)") + "," +
                   on_actor("/scheduler", R"("throw": {})", R"("after_restart_of": "/replica/0/layer/1/head/0")"), 2);
}

TEST_CASE("requests that reach the sequences' supervisor while it is told to end are not refused", "[simulation][faults]") {
  // One of its sequences dies while it is stopping, so that a client sends its request again just then.
  const std::string at_work = R"("to": "/scheduler", "message": "LogitsResult")";
  check_survived(on_link(R"("path": "/sequences", )" + at_work, R"("exit": {})", R"("nth_message": 6)") + "," +
                   on_link(R"("path": "/sequences/*", )" + at_work, R"("kill": {})", R"("nth_message": 6)"),
                 1, 40);
}

TEST_CASE("with faults of all kinds mixed all requests finish with the reference's bytes", "[simulation][faults]") {
  const std::string mixed_faults =
    on_link(R"("to": "/**")", R"("drop": {})", R"("probability": 0.002)") + "," +
    on_link(R"("to": "/**")", R"("duplicate": {})", R"("probability": 0.01)") + "," +
    on_link(R"("to": "/**")", R"("delay": {"jitter_ms": 20})", R"("probability": 0.01)") + "," +
    on_link(R"("from": "/replica/**/head/*")", R"("not_a_number": {})", R"("probability": 0.002, "repeat": 2)") + "," +
    on_actor("/**", R"("kill": {})", R"("probability": 0.002, "repeat": 3, "nth_message": 1)") + "," +
    on_actor("/replica/**", R"("hang": {})", R"("probability": 0.001, "repeat": 1, "nth_message": 1)") + "," +
    on_actor("/**/supervisor", R"("kill": {})", R"("after_ms": 1)");
  for (const uint64_t seed : seeds(100)) run_disturbed(seed, mixed_faults);
}

TEST_CASE("the same seed injects the same faults", "[simulation][faults]") {
  const std::string faults = on_link(R"("to": "/**")", R"("drop": {})", R"("probability": 0.01, "repeat": 5)");
  const auto once = run_disturbed(3, faults);
  CHECK(once.SerializeAsString() == run_disturbed(3, faults).SerializeAsString());
  CHECK(once.SerializeAsString() != run_disturbed(4, faults).SerializeAsString());
}

TEST_CASE("a plan with a clock jump is refused where there is only a real clock", "[faults]") {
  simulation sim(1);
  const auto plan = plan_of(on_actor("/**", R"("clock_jump": {"ms": 1})"));
  CHECK_THROWS_AS(spawn_fault_injector(sim.system(), {plan, {}}), input_error);
}

} // namespace troupe
