#include "apps/process.hpp"
#include "support/catch.hpp"
#include "model/testing/tiny_model.hpp"
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

using namespace troupe::testing;
using nlohmann::json;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in{text};
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

} // namespace

TEST_CASE("tokenize --json gives as many pieces as ids") {
  const outcome result = run_troupe({"tokenize", "-m", write_tiny_model(), "--text", "a b c", "--json"});
  REQUIRE(result.exit_code == 0);
  const json object = json::parse(result.out);
  CHECK(object.size() == 2);
  CHECK(object.at("ids").size() > 3);
  CHECK(object.at("ids").size() == object.at("pieces").size());
}

TEST_CASE("the option --no-special adds no begin-of-text") {
  const std::string model = write_tiny_model();
  const auto ids = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments{"tokenize", "-m", model, "--text", "hello", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return json::parse(run_troupe(arguments).out).at("ids").get<std::vector<int>>();
  };
  auto plain = ids({"--no-special"});
  const auto with_special = ids({});
  REQUIRE(with_special.size() == plain.size() + 1);
  plain.insert(plain.begin(), with_special.front());
  CHECK(with_special == plain);
}

TEST_CASE("a vocabulary that does not say how text is cut into words is warned about, unless quiet is wanted") {
  tiny_model_options options;
  options.architecture = "qwen2";
  options.without = {"tokenizer.ggml.pre"};
  const std::string model = write_tiny_model(options);
  const outcome result = run_troupe({"tokenize", "-m", model, "--text", "hello"});
  CHECK(result.exit_code == 0);
  CHECK_THAT(result.err, Catch::Matchers::StartsWith("troupe: warning: " + model + ": tokenizer.ggml.pre is missing"));
  CHECK(run_troupe({"tokenize", "-m", model, "--text", "hello", "--quiet"}).err.empty());
  CHECK(run_troupe({"tokenize", "-m", write_tiny_model(), "--text", "hello"}).err.empty());
}

TEST_CASE("without --text every line of stdin gives one result, the empty ones too") {
  const std::string model = write_tiny_model();
  const outcome result = run_troupe({"tokenize", "-m", model, "--json"}, "one\n\ntwo words\nno line break");
  REQUIRE(result.exit_code == 0);
  const auto lines = lines_of(result.out);
  REQUIRE(lines.size() == 4);
  const outcome alone = run_troupe({"tokenize", "-m", model, "--json", "--text", "two words"});
  CHECK(lines[2] + "\n" == alone.out);
}

TEST_CASE("decoding the ids of a text gives the text back") {
  tiny_model_options options;
  options.architecture = "qwen2";
  const std::string model = write_tiny_model(options);
  for (const std::string text : {"hello", " a  b", "Größe 漢字 \xF0\x9F\x99\x82", "tab\tand\nline"}) {
    const outcome ids = run_troupe({"tokenize", "-m", model, "--text", text});
    REQUIRE(ids.exit_code == 0);
    const outcome back = run_troupe({"tokenize", "-m", model, "--decode", lines_of(ids.out).at(0)});
    CHECK(back.exit_code == 0);
    CHECK(back.out == text + "\n");
    const outcome object = run_troupe({"tokenize", "-m", model, "--decode", lines_of(ids.out).at(0), "--json"});
    CHECK(json::parse(object.out).at("text") == text);
  }
}

TEST_CASE("text that is not UTF-8 still gives valid JSON") {
  const outcome result = run_troupe({"tokenize", "-m", write_tiny_model(), "--json"}, "\xff\xfe\n");
  REQUIRE(result.exit_code == 0);
  CHECK(json::parse(result.out).at("ids").size() >= 2);
}

TEST_CASE("an id outside the vocabulary ends with 3") {
  const outcome result = run_troupe({"tokenize", "-m", write_tiny_model(), "--decode", "100000"});
  CHECK(result.exit_code == 3);
  CHECK(result.err.find("100000") != std::string::npos);
}

TEST_CASE("a model without a vocabulary is refused by tokenize") {
  tiny_model_options options;
  options.with_tokenizer = false;
  const outcome result = run_troupe({"tokenize", "-m", write_tiny_model(options), "--text", "x"});
  CHECK(result.exit_code == 3);
  CHECK(result.err.find("no vocabulary") != std::string::npos);
}

TEST_CASE("offsets say which bytes of the text a token is from, and added tokens have none") {
  const outcome result = run_troupe({"tokenize", "-m", write_tiny_model(), "--text", "a b", "--json", "--offsets"});
  REQUIRE(result.exit_code == 0);
  const json object = json::parse(result.out);
  const auto& offsets = object.at("offsets");
  REQUIRE(offsets.size() == object.at("ids").size());
  CHECK(offsets.front().is_null());
  CHECK(offsets.back()[1] == 3);
  CHECK(run_troupe({"tokenize", "-m", write_tiny_model(), "--text", "a b", "--offsets"}).exit_code == 2);
}

TEST_CASE("two texts give segments, and are cut to as many tokens as are wanted") {
  const std::string model = write_tiny_model();
  const auto run = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments{"tokenize", "-m", model, "--text", "hello", "--pair", "hello hello", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_troupe(arguments);
  };
  const json whole = json::parse(run({}).out);
  CHECK(whole.at("segments").front() == 0);
  CHECK(whole.at("segments").back() == 1);
  CHECK(whole.at("texts").front().is_null());
  CHECK(whole.at("texts").back() == 1);
  const size_t tokens = whole.at("ids").size();
  const json cut = json::parse(run({"--max-tokens", std::to_string(tokens - 1), "--truncate", "only_second"}).out);
  CHECK(cut.at("ids").size() == tokens - 1);
  const outcome impossible = run({"--max-tokens", "2", "--truncate", "only_second"});
  CHECK(impossible.exit_code == 3);
  CHECK(impossible.err.find("cannot be kept at 2 tokens") != std::string::npos);
}

TEST_CASE("a folder of which only the tokenizer is there, or of an unknown family, is tokenized") {
  const auto folder = temporary_folder();
  std::ofstream(folder / "tokenizer.json") << json{
    {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
    {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}}},
    {"model", {{"type", "WordPiece"}, {"unk_token", "[UNK]"}, {"vocab", {{"[UNK]", 0}, {"a", 1}, {"##b", 2}}}}}};
  CHECK(run_troupe({"tokenize", "-m", folder.string(), "--text", "ab, a"}).out == "1,2,0,1\n");
  std::ofstream(folder / "config.json") << json{{"model_type", "nobody knows"}};
  CHECK(run_troupe({"tokenize", "-m", folder.string(), "--decode", "1,2,1"}).out == "ab a\n");
}
