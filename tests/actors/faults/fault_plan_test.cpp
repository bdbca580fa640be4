// actors/faults/plan.hpp and trigger.hpp: what a plan may say, and when its faults are due.
#include "actors/faults/plan.hpp"
#include "actors/faults/trigger.hpp"
#include "model/error.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"

namespace troupe {
namespace {

v1::FaultPlan parse(const std::string& fault) { return parse_fault_plan("{\"faults\": [" + fault + "]}"); }

std::string error_of(const std::string& json) {
  try {
    parse_fault_plan(json);
  } catch (const input_error& error) {
    return error.what();
  }
  return "";
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

const std::vector<request_rows> no_rows;

} // namespace

TEST_CASE("a star stays within a path segment, two stars do not") {
  CHECK(matches_glob("/replica/*/layer/1/head/*", "/replica/0/layer/1/head/12"));
  CHECK(!matches_glob("/replica/*/layer/1", "/replica/0/layer/1/head/0"));
  CHECK(!matches_glob("/replica/*", "/replica/0/embedding"));
  CHECK(matches_glob("/replica/**", "/replica/0/layer/1/head/0"));
  CHECK(matches_glob("**/supervisor", "/supervisor"));
  CHECK(matches_glob("**", ""));
  CHECK(matches_glob("Project*", "ProjectResult"));
  CHECK(!matches_glob("Project*", "AttendResult"));
  CHECK(!matches_glob("", "x"));
}

TEST_CASE("a plan of five lines is enough, and gets names and probes") {
  const auto plan = parse(R"({"selector": {"path": "/replica/0/layer/1/head/0"}, "effect": {"kill": {}}},
                             {"selector": {"to": "/scheduler"}, "effect": {"kill": {}}})");
  CHECK(plan.faults(0).name() == "kill");
  CHECK(plan.faults(1).name() == "kill 2");
  CHECK(plan.steady_state().probes_size() == 3);
  CHECK(parse_fault_plan(to_json(plan)).SerializeAsString() == plan.SerializeAsString());
}

TEST_CASE("what is wrong with a plan is said with the field's name") {
  const std::string good = R"("selector": {"path": "/scheduler"}, "effect": {"kill": {}})";
  CHECK(has(error_of(R"({"faults": []})"), "faults: a plan needs at least one fault"));
  CHECK(has(error_of(R"({"fautls": []})"), "fautls"));
  CHECK(has(error_of(R"({"faults": [{)" + good + R"(, "colour": 1}]})"), "colour"));
  CHECK(has(error_of("{"), "no fault plan"));
  const auto wrong = [&](const std::string& fault) { return error_of("{\"faults\": [{" + good + "}, {" + fault + "}]}"); };
  CHECK(has(wrong(R"("effect": {"kill": {}})"), "faults[1].selector: is missing"));
  CHECK(has(wrong(R"("selector": {"path": "/scheduler"})"), "faults[1].effect: is missing"));
  CHECK(has(wrong(R"("selector": {"path": "/scheduler"}, "effect": {})"), "faults[1].effect: what is to happen"));
  CHECK(has(wrong(R"("selector": {"message": "AttendStep"}, "effect": {"drop": {}})"),
            "faults[1].selector: what is the target?"));
  CHECK(has(wrong(R"("selector": {"from": "/scheduler"}, "effect": {"kill": {}})"), "faults[1].selector: from alone"));
  CHECK(has(wrong(R"("selector": {"path": "scheduler"}, "effect": {"kill": {}})"), "faults[1].selector.path: \"scheduler\""));
  CHECK(has(wrong(R"("selector": {"path": "/a", "to": "/b"}, "effect": {"drop": {}})"), "faults[1].selector.to:"));
  CHECK(has(wrong(good + R"(, "trigger": {"probability": 1.5})"), "faults[1].trigger.probability: 1.5"));
  CHECK(has(wrong(good + R"(, "trigger": {"after_ms": -1})"), "faults[1].trigger.after_ms: -1"));
  CHECK(has(wrong(good + R"(, "trigger": {"after_fault": "unknown"})"), "faults[1].trigger.after_fault"));
  CHECK(has(wrong(good + R"(, "name": "kill")"), "faults[1].name"));
  CHECK(has(wrong(R"("selector": {"path": "/a"}, "effect": {"slow_down": {}})"), "faults[1].effect.slow_down"));
  CHECK(has(wrong(R"("selector": {"path": "/a"}, "effect": {"delay": {}})"), "faults[1].effect.delay"));
  CHECK(has(wrong(R"("selector": {"path": "/a"}, "effect": {"flip_bit": {"bit": 32}})"), "faults[1].effect.flip_bit.bit: 32"));
  CHECK(has(error_of("{\"faults\": [{" + good + R"(}], "steady_state": {"probes": [{"name": "x"}]}})"),
            "steady_state.probes[0]: what must hold"));
  CHECK_THROWS_AS(read_fault_plan("/nowhere/plan.json"), input_error);
  const auto file = testing::write_temporary("{}", ".json");
  try {
    read_fault_plan(file);
  } catch (const input_error& error) {
    CHECK(has(error.what(), file.string() + ": faults:"));
  }
}

TEST_CASE("the nth message, every so many, so often") {
  const auto plan = parse(R"({"selector": {"to": "/scheduler"}, "effect": {"drop": {}},
                              "trigger": {"nth_message": 3, "every_messages": 2, "repeat": 2}})");
  trigger_state trigger(plan.faults(0));
  fault_rng rng(1);
  const passing_message message{"LogitsResult", "/replica/0/output", "/scheduler", no_rows};
  std::vector<int> injected;
  for (int i = 1; i <= 10; ++i)
    if (trigger.is_due(message, 0, false, rng)) {
      trigger.injected(0);
      injected.push_back(i);
    }
  CHECK(injected == std::vector<int>{3, 5});
}

TEST_CASE("a fault on messages that names no type does not hit those that the runtime cannot lose") {
  const auto plan = parse(R"({"selector": {"to": "/**"}, "effect": {"drop": {}}})");
  const trigger_state trigger(plan.faults(0));
  CHECK(trigger.fits({"AttendResult", "/replica/0/layer/0/head/0", "/replica/0/layer/0", no_rows}));
  CHECK(trigger.fits({"HiddenStates", "/replica/0/embedding", "/replica/0/layer/0", no_rows}));
  CHECK(!trigger.fits({"HiddenStates", "/replica/0/embedding", "/scheduler", no_rows}));
  CHECK(!trigger.fits({"GenerateRequest", "/client/1", "/sequences", no_rows}));
  CHECK(!trigger.fits({"ActorStarted", "", "/directory", no_rows}));
  CHECK(!trigger.fits({"AttendResult", "/replica/0/layer/0/head/0", "", no_rows}));
}

TEST_CASE("token positions, requests, times, other faults, recoveries hold a fault back") {
  const auto plan = parse(R"(
    {"selector": {"to": "/a"}, "effect": {"drop": {}}, "trigger": {"token_position": 5, "request": 2}},
    {"name": "second", "selector": {"path": "/a"}, "effect": {"kill": {}},
     "trigger": {"after_ms": 10, "every_ms": 5, "duration_ms": 10, "after_fault": "drop", "after_restart_of": "/b/*"}})");
  fault_rng rng(1);
  trigger_state by_token(plan.faults(0));
  const std::vector<request_rows> others{{1, 0, 9}, {2, 0, 5}}, wanted{{1, 0, 9}, {2, 4, 2}};
  CHECK(!by_token.is_due({"AttendStep", "", "/a", others}, 0, false, rng));
  CHECK(by_token.is_due({"AttendStep", "", "/a", wanted}, 0, false, rng));

  trigger_state by_clock(plan.faults(1));
  CHECK(by_clock.by_clock());
  CHECK(by_clock.next_chance_ms(0) == 10);
  CHECK(!by_clock.is_due_by_clock(11, true, rng));
  by_clock.actor_started("/b/1", false);
  CHECK(!by_clock.is_due_by_clock(11, true, rng));
  by_clock.actor_started("/b/1", true);
  CHECK(!by_clock.is_due_by_clock(9, true, rng));
  CHECK(!by_clock.is_due_by_clock(11, false, rng));
  CHECK(by_clock.is_due_by_clock(11, true, rng));
  by_clock.injected(11);
  CHECK(!by_clock.is_due_by_clock(15, true, rng));
  CHECK(by_clock.is_due_by_clock(16, true, rng));
  CHECK(!by_clock.is_due_by_clock(21, true, rng));
}

TEST_CASE("a fault with a probability fires about that often, and the same with the same seed") {
  const auto plan = parse(R"({"selector": {"to": "/a"}, "effect": {"drop": {}}, "trigger": {"probability": 0.3}})");
  const auto run = [&](uint64_t seed) {
    trigger_state trigger(plan.faults(0));
    fault_rng rng(seed);
    std::vector<int> injected;
    for (int i = 0; i < 2000; ++i)
      if (trigger.is_due({"AttendStep", "", "/a", no_rows}, 0, false, rng)) injected.push_back(i);
    return injected;
  };
  CHECK(run(7) == run(7));
  CHECK(run(7) != run(8));
  CHECK(run(7).size() > 500);
  CHECK(run(7).size() < 700);
}

} // namespace troupe
