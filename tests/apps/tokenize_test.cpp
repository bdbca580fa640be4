#include "apps/process.hpp"
#include "support/catch.hpp"
#include "model/testing/tiny_model.hpp"
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
