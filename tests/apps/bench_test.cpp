#include "actors/threads/cpus.hpp"
#include "apps/process.hpp"
#include "apps/troupe/bench/measurement.hpp"
#include "apps/troupe/bench/peer.hpp"
#include "support/catch.hpp"
#include "model/testing/tiny_encoder.hpp"
#include "model/testing/tiny_model.hpp"
#include <nlohmann/json.hpp>

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using nlohmann::json;

TEST_CASE("the median of an even number of samples is the mean of the middle two") {
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
  measurement runs;
  runs.tokens_per_run = 40;
  runs.add(5.0, before, after); // of 2 * 5 s.
  const time_shares shares = shares_of(runs, 2);
  CHECK(shares.arithmetic == Approx(0.6));
  CHECK(shares.messages == Approx(0.1));
  CHECK(shares.waiting == Approx(0.3));
  CHECK(shares.actor_overhead() == Approx(0.4));
  const auto facts = to_json(runs, 2);
  CHECK(facts.at("tokens_per_s") == 8.0);
  CHECK(facts.at("messages_per_token") == 2.0);

  after.decode.compute = 17s; // All of another 2 * 5 s.
  before.decode.compute = 7s;
  runs.add(5.0, before, after);
  const auto samples = to_json(runs, 2).at("actor_overhead_samples");
  REQUIRE(samples.size() == 2);
  CHECK(samples[0] == Approx(0.4));
  CHECK(samples[1] == Approx(0).margin(1e-9));
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
    CHECK(one.at("actor_overhead") == Approx(1 - arithmetic));
    CHECK(one.at("actor_overhead_samples").size() == 3);
    CHECK(one.at("messages_per_token") > 1);
  }
  if (usable_cpus().size() > 1) {
    CHECK(facts.at("limits").at("line_round_trip_samples").size() == 4); // Around three repetitions.
    CHECK(facts.at("limits").at("line_round_trip_ns") > 1);
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

TEST_CASE("the rates that another program printed are found, and nothing else is taken for one") {
  const auto llama = parse_peer(
    R"([{"n_prompt": 512, "n_gen": 0, "avg_ts": 68.5}, {"n_prompt": 0, "n_gen": 64, "avg_ts": 30.25}])");
  CHECK(llama.prefill == 68.5);
  CHECK(llama.decode == 30.25);
  const auto line = parse_peer("loading...\n{\"model\": \"m\", \"decode_tokens_per_s\": 12.5}\n");
  CHECK_FALSE(line.prefill);
  CHECK(line.decode == 12.5);
  for (const char* nonsense : {"", "no JSON", "[]", "{\"avg_ts\": 3}", "[{\"n_prompt\": 512, \"n_gen\": 64, \"avg_ts\": 68.5}]",
                               "{\"prefill_tokens_per_s\": \"fast\"}"}) {
    INFO(nonsense);
    CHECK_FALSE(parse_peer(nonsense).prefill);
    CHECK_FALSE(parse_peer(nonsense).decode);
  }
}

TEST_CASE("bench compares with another command, repetition by repetition, and names the machine's limits") {
  const std::string peer = R"(echo '{"prefill_tokens_per_s": 1000, "decode_tokens_per_s": 0.5}')";
  const outcome result = run_troupe({"bench", "-m", write_tiny_model(), "--prompt-tokens", "8", "--generate-tokens", "4",
                                     "--threads", "1", "--repetitions", "3", "--compare", peer, "--json"});
  REQUIRE(result.exit_code == 0);
  const json facts = json::parse(result.out);
  for (const char* kind : {"prefill", "decode"}) {
    INFO(kind);
    const json& one = facts.at("compare").at(kind);
    CHECK(one.at("samples").size() == 3);
    const double ours = facts.at(kind).at("tokens_per_s"), theirs = one.at("tokens_per_s");
    CHECK(one.at("ratio") == Approx(ours / theirs));
    const double share = facts.at(kind).at("of_limit");
    CHECK(share > 0);
    CHECK(share < 1);
    CHECK(one.at("ratio_at_limit") > one.at("ratio"));
    CHECK(facts.at(kind).at("limit_samples").size() == 3);
  }
  CHECK(facts.at("limits").at("read_samples").size() == 4); // Around three repetitions.
  for (const char* limit : {"read_bytes_per_s", "int8_operations_per_s", "float_operations_per_s"})
    CHECK(facts.at("limits").at(limit) > 1e8);
  CHECK_FALSE(facts.at("limits").contains("line_round_trip_ns")); // Not measured with one thread.
}

TEST_CASE("bench ends with 1 when the other command fails or prints no rate") {
  for (const char* peer : {"false", "echo hello"}) {
    const outcome result = run_troupe({"bench", "-m", write_tiny_model(), "--prompt-tokens", "8", "--generate-tokens", "4",
                                       "--threads", "1", "--repetitions", "1", "--compare", peer});
    CHECK(result.exit_code == 1);
    CHECK(result.err.find("--compare") != std::string::npos);
  }
}

TEST_CASE("bench measures translations and texts of models with encoders") {
  const auto run = [](const char* model_class, std::vector<std::string> more) {
    std::vector<std::string> arguments{"bench", "-m", write_tiny_encoder(model_class).string()};
    arguments.insert(arguments.end(), {"--prompt-tokens", "20", "--threads", "2", "--repetitions", "1", "--clients", "3", "--json"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    const outcome result = run_troupe(arguments);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return json::parse(result.out);
  };
  const json translates = run("MarianMTModel", {"--generate-tokens", "8", "--beams", "2"});
  CHECK(translates.at("beams") == 2);
  for (const char* kind : {"prefill", "decode", "concurrent"}) CHECK(translates.at(kind).at("tokens_per_s") > 0);
  CHECK_FALSE(translates.at("prefill").contains("of_limit")); // Its tokens do not all pass the same weights.
  const json encodes = run("BertModel", {});
  CHECK(encodes.at("encode").at("of_limit") > 0);
  CHECK_FALSE(encodes.contains("decode"));
  const json& at_once = encodes.at("concurrent");
  CHECK(at_once.at("requests_per_s").get<double>() == Approx(at_once.at("tokens_per_s").get<double>() / 20));
}

TEST_CASE("bench --sequences decodes each number of sequences side by side, a row of each in every step") {
  tiny_model_options options;
  options.context = 100'000; // None ends before all are measured, however late a busy machine hears of their tokens.
  const std::string model = write_tiny_model(options);
  const outcome result = run_troupe({"bench", "-m", model, "--prompt-tokens", "20", "--generate-tokens", "10", "--threads", "2",
                                     "--repetitions", "2", "--sequences", "1,7,40", "--sequence-prompt", "5", "--json"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const json facts = json::parse(result.out);
  CHECK(facts.at("sequence_prompt") == 5);
  const json& each = facts.at("sequences");
  REQUIRE(each.size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    const uint32_t count = std::vector<uint32_t>{1, 7, 40}[i];
    INFO(count);
    CHECK(each[i].at("sequences") == count);
    CHECK(each[i].at("samples").size() == 2);
    CHECK(each[i].at("tokens_per_s") > 0);
    CHECK(each[i].at("of_prefill") > 0);
  }
  CHECK(run_troupe({"bench", "-m", write_tiny_model(), "--sequences", "4000"}).exit_code == 2);
  CHECK(run_troupe({"bench", "-m", model, "--sequences", "0"}).exit_code == 2);
}
