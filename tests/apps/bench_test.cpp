#include "apps/process.hpp"
#include "apps/troupe/measurement.hpp"
#include "support/catch.hpp"
#include "model/testing/tiny_model.hpp"
#include <nlohmann/json.hpp>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using nlohmann::json;

TEST_CASE("the median of an even number of samples lies between the middle two") {
  CHECK(median({3}) == 3);
  CHECK(median({9, 1, 5}) == 5);
  CHECK(median({8, 1, 2, 4}) == 3);
}

TEST_CASE("the shares of a token's time are those of all threads together") {
  engine_statistics before, after;
  before.decode.compute = 1s;
  before.busy = 2s;
  after.decode.compute = 7s; // 6 s of arithmetic,
  after.busy = 9s;           // 1 s of messages,
  after.decode.messages = 80;
  measurement runs{.tokens_per_run = 40, .seconds = {}};
  runs.add(5.0, before, after); // of 2 * 5 s.
  const time_shares shares = shares_of(runs, 2);
  CHECK(shares.arithmetic == Approx(0.6));
  CHECK(shares.messages == Approx(0.1));
  CHECK(shares.waiting == Approx(0.3));
  CHECK(shares.actor_tax() == Approx(0.4));
  const auto facts = to_json(runs, 2);
  CHECK(facts.at("tokens_per_s") == 8.0);
  CHECK(facts.at("messages_per_token") == 2.0);
}

TEST_CASE("bench --json has the medians, their spread and the shares") {
  const outcome result
    = run_troupe({"bench", "-m", write_tiny_model(), "--prompt-tokens", "40", "--generate-tokens", "20", "--threads", "2",
                  "--repetitions", "3", "--clients", "3", "--json"});
  REQUIRE(result.exit_code == 0);
  const json facts = json::parse(result.out);
  CHECK(facts.at("threads") == 2);
  CHECK(facts.at("prompt_tokens") == 40);
  for (const char* kind : {"prefill", "decode", "concurrent"}) {
    INFO(kind);
    const json& one = facts.at(kind);
    CHECK(one.at("samples").size() == 3);
    CHECK(one.at("tokens_per_s") > 0);
    CHECK(one.at("spread").at("min") <= one.at("tokens_per_s"));
    CHECK(one.at("spread").at("max") >= one.at("tokens_per_s"));
    const json& time = one.at("time");
    const double arithmetic = time.at("arithmetic"), messages = time.at("messages"), waiting = time.at("waiting");
    CHECK(arithmetic > 0);
    CHECK(messages > 0);
    CHECK(waiting >= 0);
    CHECK(arithmetic + messages + waiting == Approx(1));
    CHECK(one.at("actor_tax") == Approx(1 - arithmetic));
    CHECK(one.at("messages_per_token") > 1);
  }
  CHECK(facts.at("decode").at("steps") == 60);
}

TEST_CASE("bench prints a table for people") {
  const outcome result = run_troupe({"bench", "-m", write_tiny_model(), "--prompt-tokens", "8", "--generate-tokens", "4",
                                     "--threads", "1", "--repetitions", "1"});
  CHECK(result.exit_code == 0);
  CHECK(result.out.find("\nprefill 8 ") != std::string::npos);
  CHECK(result.out.find("\ndecode 4 ") != std::string::npos);
}

TEST_CASE("bench refuses lengths beyond the model's context") {
  const outcome result = run_troupe({"bench", "-m", write_tiny_model()}); // 512 tokens; the model has 128.
  CHECK(result.exit_code == 2);
  CHECK(result.err.find("128") != std::string::npos);
}
