// apps/troupe/chaos*: verdicts and reports from made-up runs, and the command itself on a tiny model.
#include "actors/faults/plan.hpp"
#include "apps/process.hpp"
#include "apps/run_folder.hpp"
#include "apps/troupe/chaos/chaos_random.hpp"
#include "apps/troupe/chaos/chaos_report.hpp"
#include "model/testing/tiny_encoder.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"
#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

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

std::string tiny() {
  static const std::string model = write_tiny_model({.layers = 2, .context = 128}).string();
  return model;
}

/// A training run that did these steps; the last one left one tensor with this value.
request_record trained(std::vector<double> losses, float value) {
  request_record one;
  one.losses = std::move(losses);
  for (size_t i = 0; i < one.losses.size(); ++i) one.event_ms.push_back(10 * double(i + 1));
  one.weights.slices.push_back({{{1, tensor_role::query, false}, {0, 1}, 1}, {value}, {0}, {0}, {}});
  one.finished = true;
  one.reason = finish_reason::length;
  return one;
}

outcome chaos_of_training(const run_folder& folder, std::vector<std::string> more) {
  std::vector<std::string> arguments{"chaos", "--train", folder.write(), "--threads", "2", "--quiet"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_troupe(arguments);
}

std::string plan_file(const std::string& faults) { return write_temporary(R"({"name": "p", "faults": [)" + faults + "]}", ".json").string(); }

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

TEST_CASE("a training run is identical, differs at a tensor or a step, failed or is lost") {
  const auto undisturbed = trained({3, 2, 1}, 0.5f);
  CHECK(to_string(judge(undisturbed, trained({3, 2, 1}, 0.5f))) == "identical");
  CHECK(to_string(judge(undisturbed, trained({3, 2, 1}, 0.25f))) == "differs at tensor layer 1 query");
  auto moments = trained({3, 2, 1}, 0.5f);
  moments.weights.slices[0].second_moment = {1};
  CHECK(to_string(judge(undisturbed, moments)) == "differs at tensor layer 1 query");
  CHECK(to_string(judge(undisturbed, trained({3, 7, 1}, 0.5f))) == "differs at step 2");
  auto lost = trained({3}, 0.5f);
  lost.finished = false;
  CHECK(to_string(judge(undisturbed, lost)) == "lost after step 1");
  auto wrong_and_lost = trained({3, 4}, 0.5f);
  wrong_and_lost.finished = false;
  CHECK(to_string(judge(undisturbed, wrong_and_lost)) == "differs at step 2");
  auto failed = trained({3}, 0.5f);
  failed.reason = finish_reason::error;
  failed.error = "poison";
  CHECK(to_string(judge(undisturbed, failed)) == "failed: poison");
}

TEST_CASE("pauses of a training run are those between its steps") {
  chaos_result result{plan_of(one_kill), "c.json", {{}}, {}, {}, {}, 3};
  result.undisturbed.is_training = result.disturbed.is_training = true;
  result.undisturbed.requests = {trained({3, 2, 1}, 0.5f)};
  result.disturbed.requests = {trained({3, 2, 1}, 0.5f)};
  result.disturbed.requests[0].event_ms = {5, 6, 26};
  result.verdict = judge(result.plan, result.undisturbed, result.disturbed);
  CHECK(result.verdict.pause_p50_ms == 1);
  CHECK(result.verdict.pause_max_ms == 20);
  CHECK(has(to_text(result), "3 steps of c.json"));
  CHECK(has(to_text(result), "from step to step p50 1.0"));
  CHECK(has(to_text(result), "weights: identical\n"));
  CHECK(to_json(result).at("training").at("verdict") == "identical");
  CHECK(has(to_html(result), "training run"));
  CHECK(has(to_junit(result), "name=\"training run\""));
}

TEST_CASE("whatever is killed, hangs or answers NaN, a training run ends with the same weights") {
  const run_folder folder(12);
  const auto html = temporary_path(".html"), junit = temporary_path(".xml");
  const auto plan = plan_file(R"(
    {"name": "a head", "selector": {"path": "/replica/0/layer/1/head/0"}, "trigger": {"nth_message": 60}, "effect": {"kill": {}}},
    {"name": "a shard", "selector": {"path": "/replica/0/layer/0/shard/1"}, "trigger": {"nth_message": 90}, "effect": {"throw": {}}},
    {"name": "NaN", "selector": {"from": "/replica/0/layer/1/head/1", "message": "HeadPassResult"}, "trigger": {"nth_message": 19},
     "effect": {"not_a_number": {}}},
    {"name": "the trainer", "selector": {"path": "/trainer"}, "trigger": {"nth_message": 300}, "effect": {"kill": {}}},
    {"name": "a layer hangs", "selector": {"path": "/replica/0/layer/1"}, "trigger": {"nth_message": 500}, "effect": {"hang": {}}})");
  const auto result = chaos_of_training(folder, {"--plan", plan, "--json", "--html", html.string(), "--junit", junit.string()});
  INFO(result.out << result.err);
  REQUIRE(result.exit_code == 0);
  const auto facts = json::parse(result.out);
  CHECK(facts.at("passed") == true);
  CHECK(facts.at("restarts") >= 5);
  CHECK(facts.at("rows_replayed") > 0);
  CHECK(facts.at("training").at("verdict") == "identical");
  CHECK(facts.at("training").at("steps_done") == 12);
  for (const auto& fault : facts.at("faults")) CHECK(fault.at("recovered") == 1);
  for (const auto& injection : facts.at("injections")) CHECK(injection.at("recovered_ms") > injection.at("time_ms"));
  CHECK(has(text_of(html), "</html>"));
  CHECK(has(text_of(junit), "</testsuite>"));
  CHECK_FALSE(std::filesystem::exists(folder.path / "run")); // The configuration's output is left alone.
}

TEST_CASE("actors that are slow do not hold a training run up for ever: what they send keeps its order") {
  const run_folder folder(12);
  const auto result = chaos_of_training(folder, {"--steps", "6", "--silence", "20", "--plan", plan_file(R"(
    {"name": "a head", "selector": {"path": "/replica/0/layer/0/head/0"}, "effect": {"slow_down": {"factor": 4}}},
    {"name": "a shard", "selector": {"path": "/replica/0/layer/1/shard/1"}, "effect": {"slow_down": {"factor": 6}}})")});
  INFO(result.err << result.out);
  CHECK(result.exit_code == 0);
}

TEST_CASE("a silent corruption of training makes chaos fail, and names where the runs differ") {
  const run_folder folder(12);
  // Of four micro-batches: the last answer is the last gradient, after which no loss is computed; the first changes the first loss.
  for (const auto& [nth, place] : {std::pair{"8", "tensor "}, {"1", "step 1\n"}}) {
    const auto result = chaos_of_training(folder, {"--steps", "1", "--plan", plan_file(
      R"({"selector": {"from": "/replica/0/layer/0/head/0", "message": "HeadPassResult"}, "effect": {"flip_bit": {"bit": 22}},
          "trigger": {"nth_message": )" + std::string(nth) + "}}")});
    INFO(result.out << result.err);
    CHECK(result.exit_code == 1);
    CHECK(has(result.out, "1 step of config.json"));
    CHECK(has(result.out, "weights: differs at " + std::string(place)));
    CHECK(has(result.out, "BROKEN  bytes_equal"));
  }
}

TEST_CASE("a drawn plan is survived by a training run, and fits its actors") {
  const run_folder folder(12);
  const auto kept = temporary_path(".json");
  const auto result = chaos_of_training(folder, {"--random-seed", "7", "--faults", "8", "--save-plan", kept.string(), "--json"});
  INFO(result.out << result.err);
  CHECK(result.exit_code == 0);
  CHECK(json::parse(result.out).at("training").at("verdict") == "identical");
  CHECK(read_fault_plan(kept).faults_size() == 8);
}

TEST_CASE("what does not apply to a training run is refused with the field's name") {
  const run_folder folder(2);
  const std::pair<const char*, const char*> wrong[] = {
    {R"({"selector": {"path": "/scheduler"}, "effect": {"kill": {}}})", "faults[0].selector.path: \"/scheduler\" fits no actor"},
    {R"({"selector": {"path": "/sequences/*"}, "effect": {"kill": {}}})", "faults[0].selector.path: \"/sequences/*\" fits no actor"},
    {R"({"selector": {"path": "/trainer"}, "trigger": {"request": 1}, "effect": {"kill": {}}})", "faults[0].trigger.request"},
    {R"({"selector": {"path": "/trainer"}, "trigger": {"token_position": 1}, "effect": {"kill": {}}})", "faults[0].trigger.token_position"},
    {R"({"selector": {"path": "/replica/0/layer/0/head/0"}, "effect": {"flip_cache_bit": {}}})", "faults[0].effect.flip_cache_bit"},
    {R"({"selector": {"path": "/replica/0/layer/0/head/0"}, "effect": {"flip_weight_bit": {}}})", "faults[0].effect.flip_weight_bit"}};
  for (const auto& [faults, text] : wrong) {
    INFO(text);
    const auto refused = chaos_of_training(folder, {"--plan", plan_file(faults)});
    CHECK(refused.exit_code == 3);
    CHECK_THAT(refused.err, ContainsSubstring(text));
  }
  const auto plan = std::string(TROUPE_SOURCE_DIR "/apps/plans/kill.json");
  CHECK(run_troupe({"chaos", "-m", tiny(), "--train", folder.write(), "--plan", plan}).exit_code == 2);
  CHECK(run_troupe({"chaos", "--plan", plan}).exit_code == 2);
  CHECK(chaos_of_training(folder, {"--plan", plan, "--clients", "3"}).exit_code == 2);
  CHECK(chaos_of_training(folder, {"--plan", plan, "--steps", "0"}).exit_code == 2);
}

TEST_CASE("Ctrl-C ends a chaos run of a training run") {
  run_folder folder(1'000'000);
  troupe_process process({"chaos", "--train", folder.write(), "--steps", "1000000", "--threads", "2", "--random-seed", "1", "--quiet"});
  std::this_thread::sleep_for(std::chrono::seconds(1)); // Under way by now; if not, it ends all the same.
  process.signal(SIGINT);
  CHECK(process.finish().exit_code == 130);
}

TEST_CASE("requests that fit a model with an encoder are survived, beam searches and hidden states included") {
  const std::string plan = plan_file(R"({"name": "a head dies", "selector": {"path": "/replica/0/layer/1/head/0"},
    "trigger": {"nth_message": 5}, "effect": {"kill": {}}})");
  for (const char* model_class : {"MarianMTModel", "BertForMaskedLM"}) {
    INFO(model_class);
    const outcome result = run_troupe({"chaos", "-m", write_tiny_encoder(model_class).string(), "--plan", plan, "--threads", "2",
                                       "--clients", "4", "--parallel", "2", "--max-tokens", "12", "--json"});
    INFO(result.err);
    INFO(result.out);
    CHECK(result.exit_code == 0);
    const json report = json::parse(result.out);
    CHECK_FALSE(report.at("requests").empty());
    for (const auto& one : report.at("requests")) CHECK(one.at("verdict") == "identical");
    CHECK_FALSE(report.at("injections").empty());
  }
}

TEST_CASE("a request whose results or hypotheses differ is told apart from one that is identical") {
  auto undisturbed = finished({}, {1, 2});
  undisturbed.rows[{event_kind::logits, false, 0}] = {1, 2};
  undisturbed.hypotheses = {{{4, 2}, -0.5f}};
  auto disturbed = undisturbed;
  CHECK(to_string(judge(undisturbed, disturbed)) == "identical");
  disturbed.rows[{event_kind::logits, false, 0}] = {1, 2.5f};
  CHECK(to_string(judge(undisturbed, disturbed)) == "differs at its results");
  disturbed = undisturbed;
  disturbed.hypotheses.front().score = -0.25f;
  CHECK(to_string(judge(undisturbed, disturbed)) == "differs at its results");
}
