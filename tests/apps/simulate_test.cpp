#include "apps/process.hpp"
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/simulate/seed_run.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"
#include <nlohmann/json.hpp>

using namespace troupe;
using namespace troupe::testing;
using nlohmann::json;

TEST_CASE("simulate reports which faults were injected, the same for any number of processes") {
  const auto run = [](const char* jobs) {
    const auto result = run_troupe({"simulate", "--seeds", "1..1000", "--jobs", jobs, "--json"});
    CHECK(result.err == "");
    REQUIRE(result.exit_code == 0);
    auto report = json::parse(result.out);
    for (const char* timing : {"seconds", "seeds_per_s"}) {
      CHECK(report.at(timing) > 0);
      report.erase(timing);
    }
    return report;
  };
  const auto report = run("1");
  CHECK(report == run("3"));
  CHECK(report.at("seeds") == 1000);
  CHECK(report.at("failed").empty());
  CHECK(report.at("never_injected").empty());
  CHECK(report.at("injections").at("lose") > 0);
  CHECK(report.at("targets").at("head") > 0);
}

TEST_CASE("simulate --train reports a training run's seeds, the same for any number of processes") {
  const auto run = [](const char* jobs) {
    const auto result = run_troupe({"simulate", "--train", "--updates", "2", "--seeds", "1..200", "--jobs", jobs, "--json"});
    CHECK(result.err == "");
    REQUIRE(result.exit_code == 0);
    auto report = json::parse(result.out);
    for (const char* timing : {"seconds", "seeds_per_s"}) report.erase(timing);
    return report;
  };
  const auto report = run("1");
  CHECK(report == run("2"));
  CHECK(report.at("seeds") == 200);
  CHECK(report.at("updates") == 2);
  CHECK(report.at("failed").empty());
  CHECK(report.at("updates_done_again") > 0);
  CHECK(report.at("targets").at("trainer") > 0);
  const auto once = run_troupe({"simulate", "--train", "--seeds", "7", "--trace"});
  REQUIRE(once.exit_code == 0);
  CHECK(once.out.find(" -> /replica/0/embedding  ForwardBatch ") != std::string::npos);
  CHECK(once.out.find("/trainer -> client  StepReport") != std::string::npos);
  CHECK(once.err.find("seed 7: passed; fingerprint ") != std::string::npos);
  const auto again = run_troupe({"simulate", "--train", "--seeds", "7", "--trace"});
  CHECK(once.out == again.out);
  CHECK(once.err == again.err);
}

TEST_CASE("simulate --train runs any model, under any plan that a training run can have") {
  tiny_model_options options;
  options.architecture = "gpt2";
  options.layers = 1;
  const auto model = write_tiny_model(options).string();
  const auto plan = write_temporary(R"({"faults": [
    {"name": "the directory", "selector": {"path": "/directory"}, "effect": {"kill": {}}},
    {"name": "sums get lost", "selector": {"from": "/replica/0/output/shard/*", "message": "LogitSums"},
     "trigger": {"probability": 0.05, "repeat": 3}, "effect": {"drop": {}}}]})", ".json").string();
  const auto result = run_troupe({"simulate", "--train", "-m", model, "--plan", plan, "--seeds", "1..20", "--json"});
  INFO(result.out << result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(json::parse(result.out).at("plan").at("the directory") == 20);
  const auto cache = write_temporary(R"({"faults": [
    {"selector": {"path": "/replica/0/layer/0/head/0"}, "effect": {"flip_cache_bit": {}}}]})", ".json").string();
  const auto refused = run_troupe({"simulate", "--train", "--plan", cache, "--seeds", "1"});
  CHECK(refused.exit_code == exit_input);
  CHECK(refused.err.find("faults[0].effect.flip_cache_bit") != std::string::npos);
  CHECK(run_troupe({"simulate", "--train", "--requests", "2"}).exit_code == exit_usage);
  CHECK(run_troupe({"simulate", "--updates", "2"}).exit_code == exit_usage);
}

TEST_CASE("simulate --trace prints a seed's run, each time the same") {
  const auto once = run_troupe({"simulate", "--seeds", "7", "--trace"});
  REQUIRE(once.exit_code == 0);
  CHECK(once.out.find(" -> /replica/0/embedding  ForwardStep ") != std::string::npos);
  CHECK(once.err.find("seed 7: passed; fingerprint ") != std::string::npos);
  const auto again = run_troupe({"simulate", "--seeds", "7", "--trace"});
  CHECK(once.out == again.out);
  CHECK(once.err == again.err);
}

TEST_CASE("simulate runs a plan under every seed, and says which faults were never injected") {
  const auto plan = write_temporary(R"({"faults": [
    {"name": "a supervisor hangs", "selector": {"path": "/replica/0/layer/0/supervisor"},
     "trigger": {"probability": 0.2, "repeat": 2}, "effect": {"hang": {}}},
    {"name": "answers get lost", "selector": {"path": "/replica/0/layer/*", "message": "AttendResult"},
     "trigger": {"probability": 0.1, "repeat": 5}, "effect": {"drop": {}}}]})", ".json").string();
  const auto result = run_troupe({"simulate", "--plan", plan, "--seeds", "1..40", "--json"});
  REQUIRE(result.exit_code == 0);
  const auto report = json::parse(result.out);
  CHECK(report.at("failed").empty());
  CHECK(report.at("plan").at("answers get lost") >= 40);
  const auto traced = run_troupe({"simulate", "--plan", plan, "--seeds", "3", "--trace"});
  CHECK(traced.err == run_troupe({"simulate", "--plan", plan, "--seeds", "3", "--trace"}).err);
  const auto never = write_temporary(R"({"faults": [
    {"selector": {"path": "/scheduler"}, "trigger": {"nth_message": 1000000}, "effect": {"kill": {}}}]})", ".json").string();
  CHECK(run_troupe({"simulate", "--plan", never, "--seeds", "1..3"}).exit_code == exit_failed);
}

TEST_CASE("simulate runs any model") {
  tiny_model_options options;
  options.architecture = "gpt2";
  options.layers = 1;
  const auto result = run_troupe({"simulate", "-m", write_tiny_model(options), "--seeds", "1..20", "--requests", "2"});
  CHECK(result.exit_code == 0);
  CHECK(result.out.starts_with("20 seeds, 0 failed; "));
}

TEST_CASE("simulate refuses what it cannot run") {
  for (const char* range : {"", "x", "9..3", "1..", "..4", "1-3", "1..2..3", "-1", "18446744073709551615"}) {
    INFO(range);
    CHECK_THROWS_AS(parse_seeds(range), usage_error);
  }
  CHECK(parse_seeds("5").count() == 1);
  CHECK(parse_seeds("5..7").count() == 3);
  CHECK(run_troupe({"simulate", "--seeds", "1..2", "--trace"}).exit_code == exit_usage);
  CHECK(run_troupe({"simulate", "-m", "no.gguf"}).exit_code == exit_input);
}
