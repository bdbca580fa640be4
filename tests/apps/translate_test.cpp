// troupe translate: recorded searches, and what any model with an encoder must do.
#include "apps/encoder_models.hpp"
#include "support/catch.hpp"
#include <algorithm>
#include <cmath>
#include <csignal>

using namespace troupe::testing;
using nlohmann::json;

namespace {

outcome translate(const std::string& model, std::vector<std::string> more, std::string_view input = "") {
  std::vector<std::string> arguments{"translate", "-m", model, "--threads", "2"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_troupe(arguments, input);
}

std::string marian() {
  static const std::string folder = write_tiny_encoder("MarianMTModel").string();
  return folder;
}

/// The options that ask for a recorded search.
std::vector<std::string> options_of(const json& settings) {
  const auto text_of = [&](const char* key) { return settings.at(key).dump(); };
  std::vector<std::string> options{"--json",       "--beams",          text_of("num_beams"),      "--n-best",
                                   text_of("num_beams"), "--length-penalty", text_of("length_penalty"), "--max-tokens",
                                   text_of("max_new_tokens")};
  const auto add = [&](const char* option, std::string value) { options.insert(options.end(), {option, std::move(value)}); };
  if (settings.at("early_stopping").get<bool>()) options.push_back("--early-stopping");
  if (settings.contains("no_repeat_ngram_size")) add("--no-repeat-ngram", text_of("no_repeat_ngram_size"));
  if (settings.contains("forced_bos_token_id")) add("--force-first", text_of("forced_bos_token_id"));
  if (settings.contains("forced_eos_token_id")) add("--force-last", text_of("forced_eos_token_id"));
  for (const auto& ids : settings.value("bad_words_ids", json::array())) add("--forbid", joined(ids));
  return options;
}

void check_translation(const json& found, const json& recorded, bool has_words) {
  CHECK(found.at("sequences") == recorded.at("sequences"));
  REQUIRE(found.at("scores").size() == recorded.at("scores").size());
  for (size_t i = 0; i < found["scores"].size(); ++i)
    CHECK(std::abs(found["scores"][i].get<double>() - recorded["scores"][i].get<double>()) < 1e-4);
  REQUIRE(found.at("texts").size() == found.at("sequences").size());
  const auto& text = found.at("texts").front();
  CHECK(text.is_null() == !has_words);
  const auto wanted = recorded.at("best_text").get<std::string>();
  if (has_words && wanted.find("\uFFFD") == std::string::npos) CHECK(text == wanted); // Else characters are cut, and many ways are right.
}

} // namespace

TEST_CASE("translate finds the recorded sequences with their scores", "[conformance]") {
  const std::string name = GENERATE(std::string("bart"), std::string("marian"), std::string("t5"), std::string("t5_v11"));
  const auto folder = recorded_model(name);
  if (folder.empty()) TROUPE_SKIP("no hf/" + name);
  const json searches = golden_of(folder).at("beam4");
  std::string first_output;
  for (size_t begin = 0, end = 0; begin < searches.size(); begin = end) { // Those with equal settings in one run.
    const json& settings = searches[begin].at("settings");
    auto options = options_of(settings);
    for (end = begin; end < searches.size() && searches[end].at("settings") == settings; ++end)
      options.insert(options.end(), {"--input-ids", joined(searches[end].at("source_ids"))});
    const auto result = translate(folder.string(), options);
    INFO(name << " " << settings.dump() << "\n" << result.err);
    REQUIRE(result.exit_code == 0);
    const auto found = json_lines_of(result.out);
    REQUIRE(found.size() == end - begin);
    for (size_t i = 0; i < found.size(); ++i) check_translation(found[i], searches[begin + i], name != "t5_v11");
    if (begin > 0) continue;
    options.insert(options.end(), {"--threads", "1", "--shards", "3", "--chunk", "5"}); // Threads: the last one counts.
    std::vector<std::string> once_more{"translate", "-m", folder.string()};
    once_more.insert(once_more.end(), options.begin(), options.end());
    CHECK(run_troupe(once_more).out == result.out);
  }
}

TEST_CASE("greedy decoding gives the likeliest tokens, with a score, and is what a model without settings does") {
  const auto plain = translate(marian(), {"--input-ids", "5,6,7", "--max-tokens", "9", "--json"});
  REQUIRE(plain.exit_code == 0);
  const json found = json::parse(plain.out);
  CHECK(found.size() == 3);
  REQUIRE(found.at("sequences").size() == 1);
  const auto tokens = found["sequences"][0].get<std::vector<uint32_t>>();
  CHECK(tokens.front() == 1); // What the decoder begins with.
  CHECK((tokens.size() == 10 || tokens.back() == 2));
  CHECK(found.at("scores")[0].get<double>() < 0);
  CHECK(found.at("texts")[0].is_null());
  CHECK(translate(marian(), {"--input-ids", "5,6,7", "--max-tokens", "9", "--json", "--beams", "1"}).out == plain.out);
  // Sampling at temperature 0 takes the same path without a search.
  const json drawn = json::parse(translate(marian(), {"--input-ids", "5,6,7", "--max-tokens", "9", "--json", "--sample", "-T", "0"}).out);
  CHECK(drawn.at("sequences") == found.at("sequences"));
  CHECK(drawn.at("scores")[0].is_null());
  // Without a vocabulary people see token ids.
  const auto ids = translate(marian(), {"--input-ids", "5,6,7", "--max-tokens", "9"});
  CHECK(ids.out == joined({tokens.begin() + 1, tokens.end()}) + "\n");
}

TEST_CASE("what the model's configuration says holds unless the command line says otherwise") {
  const std::string folder = write_tiny_encoder("MarianMTModel", R"({"eos_token_id": 2, "num_beams": 3, "max_length": 8,
    "forced_bos_token_id": 40, "forced_eos_token_id": 2, "bad_words_ids": [[2]], "min_length": 8, "renormalize_logits": true})").string();
  const auto own = translate(folder, {"--input-ids", "5,6,7", "--json", "--n-best", "3"});
  REQUIRE(own.exit_code == 0);
  CHECK_THAT(own.err, ContainsSubstring("generation_config.json: renormalize_logits: is not supported (ignored)"));
  const auto sequences = json::parse(own.out).at("sequences").get<std::vector<std::vector<uint32_t>>>();
  REQUIRE(sequences.size() == 3); // Of three beams.
  for (const auto& one : sequences) {
    REQUIRE(one.size() == 8);
    CHECK(one[1] == 40);
    CHECK(one.back() == 2);
    CHECK(std::count(one.begin(), one.end(), 2u) == 1);
  }
  const auto other = translate(folder, {"--input-ids", "5,6,7", "--json", "--max-tokens", "5", "--force-first", "none", "--forbid", "40",
                                        "--min-tokens", "5", "--beams", "2"});
  const auto tokens = json::parse(other.out).at("sequences")[0].get<std::vector<uint32_t>>();
  REQUIRE(tokens.size() == 6);
  CHECK(std::count(tokens.begin(), tokens.end(), 40u) == 0);
  CHECK(tokens.back() != 2); // The forced end goes with the model's own limit.
}

TEST_CASE("settings of the model that cannot be meant are told once each, and left out") {
  const std::string folder =
    write_tiny_encoder("MarianMTModel", R"({"eos_token_id": [2, 100], "num_beams": 2000, "max_length": 1})").string();
  const auto result = translate(folder, {"--input-ids", "5,6,7", "--max-tokens", "9", "--json"});
  CHECK(result.exit_code == 0);
  CHECK(result.out == translate(marian(), {"--input-ids", "5,6,7", "--max-tokens", "9", "--json"}).out);
  for (const char* key : {"eos_token_id[1]", "num_beams", "max_length"}) {
    const auto first = result.err.find(std::string("generation_config.json: ") + key + ": ");
    INFO(key << "\n" << result.err);
    REQUIRE(first != std::string::npos);
    CHECK(result.err.find(key, first + 30) == std::string::npos);
  }
  std::ofstream(std::filesystem::path(folder) / "generation_config.json") << "{";
  const auto broken = translate(folder, {"--input-ids", "5,6,7", "--max-tokens", "9", "--json"});
  CHECK(broken.exit_code == 0);
  CHECK(std::count(broken.err.begin(), broken.err.end(), '\n') == 1);
  CHECK_THAT(broken.err, ContainsSubstring("generation_config.json"));
}

TEST_CASE("several sources are answered in order, and one that cannot be served fails alone") {
  const auto result =
    translate(marian(), {"--input-ids", "5,6", "--input-ids", "100", "--input-ids", "7,8,9", "--max-tokens", "4", "--json"});
  CHECK(result.exit_code == 1);
  const auto found = json_lines_of(result.out);
  REQUIRE(found.size() == 3);
  CHECK(found[1] == json{{"error", "the source has token 100, but the vocabulary ends at 99"}});
  CHECK(result.err == "troupe: translate: text 2: the source has token 100, but the vocabulary ends at 99\n");
  // As lines, they keep their places.
  const auto lines = translate(marian(), {"--input-ids", "5,6", "--input-ids", "100", "--input-ids", "7,8,9", "--max-tokens", "4"});
  CHECK(lines.exit_code == 1);
  CHECK(lines.err == result.err);
  CHECK(lines.out == translate(marian(), {"--input-ids", "5,6", "--max-tokens", "4"}).out + "\n" +
                       translate(marian(), {"--input-ids", "7,8,9", "--max-tokens", "4"}).out);
  for (const size_t i : {0u, 2u})
    CHECK(json::parse(translate(marian(), {"--input-ids", i == 0 ? "5,6" : "7,8,9", "--max-tokens", "4", "--json"}).out) == found[i]);
}

TEST_CASE("sources that translate cannot take get one clear error each") {
  std::string many = "5";
  for (int i = 0; i < 64; ++i) many += ",5";
  const std::pair<std::vector<std::string>, std::string> wrong[]{
    {{"--input-ids", many}, "the text has 65 tokens, the model takes 64"},
    {{"words"}, "the model has no vocabulary: only token ids can be given (--input-ids)"},
  };
  for (const auto& [options, reason] : wrong) {
    const auto result = translate(marian(), options);
    CHECK(result.exit_code == 1);
    CHECK(result.out == "\n");
    CHECK(result.err == "troupe: translate: " + reason + "\n");
  }
  const auto nothing = translate(marian(), {});
  CHECK(nothing.exit_code == 3);
  CHECK_THAT(nothing.err, ContainsSubstring("not one line"));
}

TEST_CASE("a model is sent to the command that it is for") {
  const std::pair<const char*, const char*> models[]{
    {"MarianMTModel", "translate"}, {"BertForSequenceClassification", "classify"}, {"BertForMaskedLM", "fill-mask"},
    {"BertForQuestionAnswering", "answer"}, {"BertModel", "embed"}};
  for (const auto& [model_class, right] : models) {
    const auto result = run_troupe({"generate", "-m", write_tiny_encoder(model_class).string(), "--prompt-ids", "5", "--threads", "1"});
    INFO(model_class);
    CHECK(result.exit_code == 3);
    CHECK_THAT(result.err, ContainsSubstring("use `troupe " + std::string(right) + "`"));
  }
  const auto result = run_troupe({"translate", "-m", write_tiny_model().string(), "--input-ids", "5"});
  CHECK(result.exit_code == 3);
  CHECK_THAT(result.err, ContainsSubstring("use `troupe generate`"));
}

TEST_CASE("a source in a pipe is answered while the pipe is open, and Ctrl-C ends what is under way") {
  const auto folder = recorded_model("marian");
  if (folder.empty()) TROUPE_SKIP("no hf/marian");
  troupe_process process{{"translate", "-m", folder.string(), "--threads", "2", "--json", "--max-tokens", "6"}};
  process.write("Lily's doctor didn't look frozen;\n");
  const auto printed = process.read_out(20);
  CHECK(printed.starts_with(R"({"sequences":[[341,)"));
  process.signal(SIGINT);
  CHECK(process.finish().exit_code == 130);
}
