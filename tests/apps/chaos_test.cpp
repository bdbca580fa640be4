// apps/troupe/chaos*: verdicts and reports from made-up runs, and the command itself on a tiny model.
#include "actors/faults/plan.hpp"
#include "apps/process.hpp"
#include "apps/troupe/chaos/chaos_random.hpp"
#include "apps/troupe/chaos/chaos_report.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

using namespace troupe;
using namespace troupe::testing;
using nlohmann::json;

namespace {

request_record finished(std::vector<uint32_t> tokens, std::vector<double> event_ms) {
  request_record one;
  one.tokens = std::move(tokens);
  one.event_ms = std::move(event_ms);
  one.finished = true;
  one.reason = finish_reason::length;
  return one;
}

v1::FaultPlan plan_of(const std::string& json_text) { return parse_fault_plan(json_text); }

const char* const one_kill =
  R"({"name": "one <kill>", "faults": [{"selector": {"path": "/scheduler"}, "effect": {"kill": {}}}]})";

chaos_result made_up(const request_record& disturbed, int injections) {
  chaos_result result{plan_of(one_kill), "m.gguf", {{"a \"prompt\" & more", {}}}, {}, {}, {}};
  result.undisturbed.requests = {finished({1, 2, 3}, {1, 2, 3, 3})};
  result.disturbed.requests = {disturbed};
  result.disturbed.wall_ms = 50;
  for (int i = 0; i < injections; ++i) {
    auto& injection = *result.disturbed.log.add_injections();
    injection.set_fault("kill");
    injection.set_path("/scheduler");
    injection.set_time_ms(10);
    injection.set_recovered_ms(11 + i);
  }
  result.verdict = judge(result.plan, result.undisturbed, result.disturbed);
  return result;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in{file, std::ios::binary};
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string tiny() {
  static const std::string model = write_tiny_model({.layers = 2, .context = 128}).string();
  return model;
}

outcome run_chaos(const std::string& plan, std::vector<std::string> more = {}) {
  std::vector<std::string> arguments{"chaos",     "-m", tiny(),         "--plan", plan, "--threads", "2",
                                     "--clients", "4",  "--max-tokens", "32"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_troupe(arguments);
}

} // namespace

TEST_CASE("a percentile is a value that was there") {
  CHECK(percentile({}, 0.5) == 0);
  CHECK(percentile({4, 1, 3, 2}, 0.5) == 2);
  CHECK(percentile({4, 1, 3, 2}, 0.99) == 4);
  CHECK(percentile({7}, 0) == 7);
}

TEST_CASE("a request is identical, differs at a token, failed or is lost") {
  const auto undisturbed = finished({1, 2, 3}, {1, 2, 3, 3});
  CHECK(to_string(judge(undisturbed, finished({1, 2, 3}, {1, 9, 10, 10}))) == "identical");
  CHECK(judge(undisturbed, finished({1, 2, 3}, {1, 9, 10, 10})).pause_ms == 8);
  CHECK(to_string(judge(undisturbed, finished({1, 5, 3}, {}))) == "differs at token 1");
  CHECK(to_string(judge(undisturbed, finished({1, 2}, {}))) == "differs at token 2");
  auto lost = finished({1, 2}, {});
  lost.finished = false;
  CHECK(to_string(judge(undisturbed, lost)) == "lost after token 2");
  auto wrong_and_lost = finished({4}, {});
  wrong_and_lost.finished = false;
  CHECK(to_string(judge(undisturbed, wrong_and_lost)) == "differs at token 0");
  auto failed = finished({1}, {});
  failed.reason = finish_reason::error;
  failed.error = "poison";
  CHECK(to_string(judge(undisturbed, failed)) == "failed: poison");
}

TEST_CASE("a plan fails when bytes differ, and when a fault was never injected") {
  const auto good = finished({1, 2, 3}, {1, 2, 3, 3});
  CHECK(made_up(good, 1).verdict.passed());
  CHECK(!made_up(good, 0).verdict.passed());
  CHECK(!made_up(finished({1, 2, 4}, {}), 1).verdict.passed());
  auto result = made_up(good, 0);
  result.plan.mutable_faults(0)->set_optional(true);
  CHECK(judge(result.plan, result.undisturbed, result.disturbed).passed());
  result.disturbed.left_over = 2;
  CHECK(!judge(result.plan, result.undisturbed, result.disturbed).passed());
}

TEST_CASE("a continuous probe fails for what is wrong already, not for what has not happened yet") {
  v1::Probe bytes, finish;
  bytes.set_bytes_equal(true);
  finish.set_all_requests_finish(true);
  run_record undisturbed, run;
  undisturbed.requests = {finished({1, 2, 3}, {})};
  run.requests = {finished({1, 2}, {})};
  run.requests[0].finished = false;
  CHECK(judge(bytes, undisturbed, run, true).holds);
  CHECK(judge(finish, undisturbed, run, true).holds);
  CHECK(!judge(bytes, undisturbed, run, false).holds);
  CHECK(!judge(finish, undisturbed, run, false).holds);
  run.requests[0].tokens = {1, 7};
  CHECK(!judge(bytes, undisturbed, run, true).holds);
}

TEST_CASE("reports say the same in every form") {
  const auto good = made_up(finished({1, 2, 3}, {1, 2, 3, 3}), 2);
  CHECK(has(to_text(good), "passed\n"));
  CHECK(has(to_text(good), "1.0 / 2.0 / 2.0 ms"));
  CHECK(to_json(good).at("passed") == true);
  CHECK(to_json(good).at("faults").at(0).at("recovery_ms").at("max") == 2.0);
  CHECK(has(to_junit(good), "tests=\"5\" failures=\"0\""));
  CHECK(has(to_junit(good), "name=\"one &lt;kill&gt;\""));
  CHECK(has(to_html(good), "a &quot;prompt&quot; &amp; more"));
  CHECK(has(to_html(good), "<svg"));
  CHECK(has(to_html(good), "All 2 injections"));
  CHECK(!has(to_html(good), "not drawn"));
  auto many = good;
  for (int i = 0; i < 70; ++i) many.disturbed.log.add_injections()->set_path("/replica/0/layer/" + std::to_string(i));
  CHECK(has(to_html(many), "11 more actors not drawn"));
  const auto bad = made_up(finished({1, 9, 3}, {}), 0);
  CHECK(has(to_text(bad), "request 1: differs at token 1"));
  CHECK(has(to_text(bad), "FAILED\n"));
  CHECK(has(to_junit(bad), "tests=\"5\" failures=\"3\"")); // The request, the probe of bytes, the fault.
  CHECK(has(to_html(bad), "FAILED"));
}

TEST_CASE("the same seed draws the same plan, which is a valid one") {
  const std::vector<std::string> paths{"/directory", "/scheduler", "/replica/0/layer/0", "/replica/0/layer/0/head/0"};
  const auto once = random_plan(5, 30, paths, 100);
  CHECK(once.faults_size() == 30);
  CHECK(once.SerializeAsString() == random_plan(5, 30, paths, 100).SerializeAsString());
  CHECK(once.SerializeAsString() != random_plan(6, 30, paths, 100).SerializeAsString());
}

TEST_CASE("every ready plan passes on a tiny model, or says why it cannot be run") {
  size_t plans = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TROUPE_SOURCE_DIR "/apps/plans")) {
    ++plans;
    INFO(entry.path().string());
    const auto result = run_chaos(entry.path().string(), {"--quiet", "--check", "products,caches"});
    INFO(result.out << result.err);
    if (entry.path().stem() == "clock_jump") {
      CHECK(result.exit_code == 3);
      CHECK(has(result.err, "faults[0].effect.clock_jump: only in simulation"));
    } else {
      CHECK(result.exit_code == 0);
    }
  }
  CHECK(plans >= 20);
}

TEST_CASE("chaos writes its reports, and its exit code is the verdict") {
  const auto html = temporary_path(".html"), junit = temporary_path(".xml");
  const auto plan = std::string(TROUPE_SOURCE_DIR "/apps/plans/kill.json");
  const auto good = run_chaos(plan, {"--json", "--html", html.string(), "--junit", junit.string()});
  REQUIRE(good.exit_code == 0);
  const auto facts = json::parse(good.out);
  CHECK(facts.at("passed") == true);
  CHECK(facts.at("restarts") == 3);
  CHECK(facts.at("rows_replayed") > 0);
  CHECK(facts.at("requests").size() == 4);
  for (const auto& fault : facts.at("faults")) CHECK(fault.at("recovered") == 1);
  CHECK(has(text_of(html), "</html>"));
  CHECK(has(text_of(junit), "</testsuite>"));

  // A fault that never fires, and a probe that does not hold.
  const auto never = write_temporary(
    R"({"faults": [{"selector": {"path": "/scheduler"}, "trigger": {"nth_message": 1000000}, "effect": {"kill": {}}}]})", ".json");
  const auto not_injected = run_chaos(never.string());
  CHECK(not_injected.exit_code == 1);
  CHECK(has(not_injected.out, "never injected: its trigger never fired"));
  const auto strict = write_temporary(
    R"({"faults": [{"selector": {"path": "/scheduler"}, "trigger": {"nth_message": 9}, "effect": {"kill": {}}}],
        "steady_state": {"probes": [{"restarts_below": 1}]}})", ".json");
  CHECK(run_chaos(strict.string()).exit_code == 1);
}

TEST_CASE("a plan that fits no actor, and one that is no plan, are refused with the field's name") {
  const auto plan = write_temporary(R"({"faults": [{"selector": {"path": "/replica/7/**"}, "effect": {"kill": {}}}]})", ".json");
  const auto unmatched = run_chaos(plan.string());
  CHECK(unmatched.exit_code == 3);
  CHECK(has(unmatched.err, "faults[0].selector.path: \"/replica/7/**\" fits no actor of this model"));
  const auto wrong = run_chaos(write_temporary(R"({"faults": [{"colour": 1}]})", ".json").string());
  CHECK(wrong.exit_code == 3);
  CHECK(has(wrong.err, "colour"));
  CHECK(run_troupe({"chaos", "-m", tiny()}).exit_code == 2);
}

TEST_CASE("a silent corruption makes chaos fail") {
  // In what shards answer, on the way to their layer: the values are finite, and no check detects them.
  const auto plan = write_temporary(R"({"faults": [{
    "selector": {"from": "/replica/0/layer/0/shard/*", "message": "ProjectResult"},
    "trigger": {"probability": 1}, "effect": {"flip_bit": {"bit": 26}}}]})", ".json");
  const auto result = run_chaos(plan.string());
  CHECK(result.exit_code == 1);
  CHECK(has(result.out, "differs at token"));
}

TEST_CASE("logits that arrive damaged every time end the request with an error that says so") {
  const auto plan = write_temporary(R"({"faults": [{"selector": {"from": "/replica/0/output", "message": "LogitsResult"},
    "trigger": {"probability": 1}, "effect": {"flip_bit": {"bit": 30}}}]})", ".json");
  const auto result = run_chaos(plan.string());
  CHECK(result.exit_code == 1);
  CHECK(has(result.out, "damaged on their way 8 times in a row"));
}

TEST_CASE("a drawn plan is survived, and can be kept") {
  const auto kept = temporary_path(".json");
  const auto drawn = run_troupe({"chaos", "-m", tiny(), "--random-seed", "3", "--faults", "8", "--clients", "4",
                                 "--max-tokens", "32", "--threads", "2", "--save-plan", kept.string(), "--json"});
  CHECK(drawn.exit_code == 0);
  CHECK(json::parse(drawn.out).at("faults").size() == 8);
  CHECK(read_fault_plan(kept).faults_size() == 8);
}
