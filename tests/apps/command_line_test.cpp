// What a user gets before any model runs: help, versions, refusals.
#include "apps/process.hpp"
#include "support/catch.hpp"
#include "model/testing/tiny_model.hpp"

using namespace troupe::testing;

namespace {

const std::vector<std::string> all_commands{"generate", "chat", "translate", "classify", "fill-mask", "answer", "embed", "see", "transcribe",
                                            "logits", "tokenize", "inspect", "export", "bench"};

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("the help names every command and every exit code") {
  const outcome help = run_troupe({"--help"});
  CHECK(help.exit_code == 0);
  CHECK(help.err.empty());
  for (const auto& name : all_commands) CHECK(contains(help.out, "\n  " + name + " "));
  for (const char* code : {"  0  ", "  1  ", "  2  ", "  3  ", "  4  ", "  130  ", "  141  "}) {
    CHECK(contains(help.out, code));
  }
}

TEST_CASE("every command's help has examples and --threads") {
  for (const auto& name : all_commands) {
    INFO(name);
    const outcome help = run_troupe({name, "--help"});
    CHECK(help.exit_code == 0);
    CHECK(contains(help.out, "Examples:\n  troupe " + name + " -m "));
    CHECK(contains(help.out, "--threads"));
    CHECK(contains(help.out, "--model"));
  }
}

TEST_CASE("the option --version prints one line") {
  const outcome version = run_troupe({"--version"});
  CHECK(version.exit_code == 0);
  CHECK(version.out.starts_with("troupe 0."));
  CHECK(version.out.find('\n') == version.out.size() - 1);
}

TEST_CASE("a wrong command line ends with 2, says what is wrong, and reads nothing") {
  const std::vector<std::vector<std::string>> wrong{
    {},
    {"dance"},
    {"generate", "no model given"},
    {"generate", "-m", "no-such-file", "-p", "x", "--no-such-option"},
    {"generate", "-m", "no-such-file", "-p", "x", "--max-tokens", "0"},
    {"generate", "-m", "no-such-file", "-p", "x", "--max-tokens", "-5"},
    {"generate", "-m", "no-such-file", "-p", "x", "--threads", "0"},
    {"generate", "-m", "no-such-file", "-p", "x", "--temperature", "warm"},
    {"generate", "-m", "no-such-file", "-p", "x", "--temperature", "-1"},
    {"generate", "-m", "no-such-file", "-p", "x", "--top-p", "1.5"},
    {"generate", "-m", "no-such-file", "-p", "x", "--logit-bias", "13"},
    {"generate", "-m", "no-such-file", "-p", "x", "--logit-bias", "13=much"},
    {"generate", "-m", "no-such-file", "-p", "x", "--stop", ""},
    {"generate", "-m", "no-such-file", "-p", "x", "--stop", "\xC3"},
    {"generate", "-m", "no-such-file", "-p", "x", "--json", "--echo"},
    {"generate", "-m", "no-such-file", "--prompt-ids", "1,two"},
    {"generate", "-m", "no-such-file", "-f", "-", "-f", "-"},
    {"logits", "-m", "no-such-file", "--input", "no-such-file"},
    {"tokenize", "-m", "no-such-file", "--decode", "1,,2"},
    {"tokenize", "-m", "no-such-file", "--decode", "1", "--text", "x"},
    {"tokenize", "-m", "no-such-file", "--special-text"},
    {"inspect"},
    {"inspect", "-m", "no-such-file", "--dot", "--json"},
    {"bench", "-m", "no-such-file", "--repetitions", "0"},
    {"bench", "-m", "no-such-file", "more"},
    {"translate", "-m", "no-such-file", "x", "--beams", "2", "--n-best", "3"},
    {"translate", "-m", "no-such-file", "x", "--beams", "2", "--sample"},
    {"translate", "-m", "no-such-file", "x", "--temperature", "1"},
    {"translate", "-m", "no-such-file", "x", "--force-first", "5,6"},
    {"translate", "-m", "no-such-file", "x", "--forbid", "five"},
    {"translate", "-m", "no-such-file", "--input-ids", "5,,6"},
    {"translate", "-m", "no-such-file", "x", "--min-tokens", "9", "--max-tokens", "8"},
    {"translate", "-m", "no-such-file", "x", "--length-penalty", "inf"},
    {"classify", "-m", "no-such-file", "x", "--top", "0"},
    {"classify", "-m", "no-such-file", "--input-ids", "5", "--pair", "x"},
    {"fill-mask", "-m", "no-such-file", "--file", "-", "--file", "-"},
    {"answer", "-m", "no-such-file", "x"},
    {"answer", "-m", "no-such-file", "x", "--context", "a", "--context-file", "b"},
    {"embed", "-m", "no-such-file", "x", "--pooling", "max"},
    {"embed", "-m", "no-such-file", "--compare", "a"},
    {"embed", "-m", "no-such-file", "--compare", "a", ""},
  };
  for (const auto& arguments : wrong) {
    std::string line;
    for (const auto& word : arguments) line += " '" + word + "'";
    INFO("troupe" << line);
    const outcome refused = run_troupe(arguments);
    CHECK(refused.exit_code == 2);
    CHECK(refused.out.empty());
    CHECK(refused.err.starts_with("troupe: "));
    CHECK(contains(refused.err, "\nSee: troupe"));
    CHECK_FALSE(contains(refused.err, "cannot be opened"));
  }
}

TEST_CASE("a model that is missing or no model ends with 3 and its name") {
  const std::string text = write_temporary("this is no model", ".gguf");
  const std::string nowhere = temporary_path(".gguf");
  for (const auto& path : {text, nowhere}) {
    const std::vector<std::vector<std::string>> bad{
      {"generate", "-m", path, "-p", "x"}, {"tokenize", "-m", path, "--text", "x"}, {"inspect", "-m", path},
      {"export", "-m", path, "--gguf", "never-written.gguf"}, {"bench", "-m", path}};
    for (const auto& arguments : bad) {
      INFO(arguments.front());
      const outcome refused = run_troupe(arguments);
      CHECK(refused.exit_code == 3);
      CHECK(refused.out.empty());
      CHECK(contains(refused.err, path));
    }
  }
}

TEST_CASE("a prompt file that is missing ends with 3 and its name") {
  const outcome refused = run_troupe({"generate", "-m", write_tiny_model(), "-f", "/nowhere/prompt.txt"});
  CHECK(refused.exit_code == 3);
  CHECK(contains(refused.err, "/nowhere/prompt.txt"));
}
