#include "apps/process.hpp"
#include "support/catch.hpp"
#include "model/testing/tiny_model.hpp"
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

using namespace troupe::testing;
using nlohmann::json;

namespace {

std::vector<json> json_lines(const std::string& text) {
  std::vector<json> objects;
  std::istringstream in{text};
  for (std::string line; std::getline(in, line);) objects.push_back(json::parse(line));
  return objects;
}

outcome generate(const std::string& model, std::vector<std::string> more, std::string_view input = "") {
  std::vector<std::string> arguments{"generate", "-m", model, "--threads", "2"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_troupe(arguments, input);
}

/// A model whose texts can go on for long.
std::string long_model() {
  tiny_model_options options;
  options.context = 100000;
  return write_tiny_model(options);
}

} // namespace

TEST_CASE("an instruction set that is not available is refused with those that are") {
  ::setenv("TROUPE_ISA", "mmx", 1); // Of this process and those it starts.
  const outcome result = generate(write_tiny_model(), {"--prompt", "hello"});
  ::unsetenv("TROUPE_ISA");
  INFO(result.err);
  REQUIRE(result.exit_code == 3);
  REQUIRE(result.out.empty());
  REQUIRE(result.err.find("environment variable TROUPE_ISA: instruction set 'mmx' is not available here; there are: ") != std::string::npos);
  REQUIRE(result.err.find("plain") != std::string::npos);
}

TEST_CASE("generate --json prints one object with the documented fields") {
  const outcome result = generate(
    write_tiny_model(), {"--prompt", "hello", "--max-tokens", "9", "--temperature", "0", "--ignore-eos", "--json"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(result.err.empty());
  const auto objects = json_lines(result.out);
  REQUIRE(objects.size() == 1);
  const json& one = objects[0];
  CHECK(one.at("prompt") == "hello");
  CHECK(one.at("text").is_string());
  CHECK(one.at("tokens").size() == 9);
  CHECK(one.at("finish_reason") == "length");
  CHECK(one.at("prompt_tokens") > 1);
  CHECK(one.at("timings").at("first_token_ms") > 0);
  CHECK(one.at("timings").at("tokens_per_s") > 0);
  CHECK(one.at("timings").contains("decode_tokens_per_s"));
  CHECK(one.at("timings").at("total_ms") >= one.at("timings").at("first_token_ms"));
  CHECK_FALSE(one.contains("error"));
}

TEST_CASE("the streamed text is the text of the JSON object") {
  const std::string model = write_tiny_model();
  const std::vector<std::string> request{"-p", "hello", "-n", "20", "-s", "7", "--ignore-eos"};
  auto as_json = request;
  as_json.push_back("--json");
  std::string text = json::parse(generate(model, as_json).out).at("text");
  if (!text.ends_with('\n')) text += '\n';
  const outcome plain = generate(model, request);
  CHECK(plain.out == text);
  CHECK(plain.err.find("20 generated (length)") != std::string::npos);
  auto quiet = request;
  quiet.insert(quiet.end(), {"--quiet", "--echo"});
  const outcome echoed = generate(model, quiet);
  CHECK(echoed.out == "hello" + text);
  CHECK(echoed.err.empty());
}

TEST_CASE("a prompt is the same from an argument, an option, a file and stdin") {
  const std::string model = write_tiny_model();
  const std::string file = write_temporary("hello\n", ".txt");
  const auto tokens = [&](std::vector<std::string> more, std::string_view input = "") {
    more.insert(more.end(), {"-n", "6", "--json", "--ignore-eos"});
    const outcome result = generate(model, more, input);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return json::parse(result.out).at("tokens");
  };
  const json expected = tokens({"hello"});
  CHECK(tokens({"--prompt", "hello"}) == expected);
  CHECK(tokens({"--prompt-file", file}) == expected);
  CHECK(tokens({}, "hello\n") == expected);
  CHECK(tokens({"-f", "-"}, "hello") == expected);
  CHECK(tokens({"--lines"}, "hello\n") == expected);
}

TEST_CASE("several prompts give one object each, in their order, equal to those alone") {
  const std::string model = write_tiny_model();
  const std::vector<std::string> common{"-n", "12", "--json", "--ignore-eos", "--temperature", "0.9", "--seed", "3"};
  auto all = common;
  all.insert(all.end(), {"-p", "one", "-p", "and two", "three"});
  const outcome together = generate(model, all);
  REQUIRE(together.exit_code == 0);
  auto objects = json_lines(together.out);
  REQUIRE(objects.size() == 3);
  CHECK(objects[0].at("prompt") == "one");
  CHECK(objects[2].at("prompt") == "three");
  for (json& object : objects) {
    auto alone = common;
    alone.push_back(object.at("prompt").get<std::string>());
    CHECK(json::parse(generate(model, alone).out).at("tokens") == object.at("tokens"));
  }
  const outcome lines = generate(model, {"--lines", "-n", "3", "--quiet"}, "one\ntwo\n");
  CHECK(lines.out.starts_with("==> 1: one <==\n")); // How many will come is not known.
  CHECK(lines.out.find("\n==> 2: two <==\n") != std::string::npos);
  const outcome arguments = generate(model, {"-n", "3", "--quiet", "one", "two"});
  CHECK(arguments.out.starts_with("==> 1/2: one <==\n"));
}

TEST_CASE("prompts are read from a pipe as they come, and answered before it ends") {
  troupe_process process{{"generate", "-m", write_tiny_model(), "--lines", "-n", "5", "--json", "--ignore-eos", "--threads", "2"}};
  process.write("one\ntw");
  const std::string first = process.read_out(1);
  CHECK(first.starts_with("{\"prompt\":\"one\""));
  process.write_and_close("o\nthree");
  const outcome result = process.finish();
  CHECK(result.exit_code == 0);
  CHECK(result.err.empty());
  const auto objects = json_lines(result.out);
  REQUIRE(objects.size() == 3);
  for (size_t i = 0; i < 3; ++i) CHECK(objects[i].at("prompt") == std::vector{"one", "two", "three"}[i]);
}

TEST_CASE("many prompts of a file wait for two that run, and their answers come in order") {
  std::string lines;
  for (int i = 0; i < 3000; ++i) lines += "prompt " + std::to_string(i) + (i < 2999 ? "\n" : "");
  const std::string file = write_temporary(lines, ".txt");
  const std::vector<std::string> request{"-f", file, "--lines", "-n", "2", "--json", "--ignore-eos", "--temperature", "0"};
  const auto objects = json_lines(generate(write_tiny_model(), request).out);
  auto few = request;
  few.insert(few.end(), {"--parallel", "2"});
  const auto in_twos = json_lines(generate(write_tiny_model(), few).out);
  REQUIRE(objects.size() == 3000);
  REQUIRE(in_twos.size() == 3000);
  size_t wrong = 0;
  for (size_t i = 0; i < objects.size(); ++i)
    wrong += objects[i].at("prompt") != "prompt " + std::to_string(i) || objects[i].at("tokens") != in_twos[i].at("tokens");
  CHECK(wrong == 0);
}

TEST_CASE("when a file of prompts cannot be read the error names it, and what came before it is answered") {
  const std::string model = write_tiny_model();
  const outcome missing = generate(model, {"one", "-f", "/nowhere/prompts.txt"});
  CHECK(missing.exit_code == 3);
  CHECK(missing.err.find("/nowhere/prompts.txt: cannot be opened") != std::string::npos);
  CHECK(missing.out.empty());
  const outcome folder = generate(model, {"one", "-f", "/", "--lines", "-n", "3", "--json"});
  CHECK(folder.exit_code == 3);
  CHECK(folder.err.find("/: cannot be read: ") != std::string::npos);
  CHECK(json_lines(folder.out).size() == 1);
  const outcome empty = generate(model, {"--lines", "-n", "3"}, "");
  CHECK(empty.exit_code == 3);
  CHECK(empty.err.find("not one line") != std::string::npos);
}

TEST_CASE("a prompt that cannot be served fails alone, with 1") {
  const std::string model = write_tiny_model();
  const outcome result = generate(model, {"--prompt-ids", "5,6", "--prompt-ids", "7,99999", "--prompt-ids", "5,6", "-n",
                                          "4", "--json", "--ignore-eos"});
  CHECK(result.exit_code == 1);
  const auto objects = json_lines(result.out);
  REQUIRE(objects.size() == 3);
  CHECK(objects[0].at("finish_reason") == "length");
  CHECK(objects[1].at("finish_reason") == "error");
  CHECK(objects[1].at("error").get<std::string>().find("99999") != std::string::npos);
  CHECK(objects[2].at("tokens") == objects[0].at("tokens"));
  CHECK(result.err.find("prompt 2: ") != std::string::npos);
  const outcome alone = generate(model, {"--prompt-ids", "7,99999"});
  CHECK(alone.exit_code == 1);
  CHECK(alone.out.empty());
}

TEST_CASE("a poisoned prompt ends with its error and the others finish") {
  tiny_model_options options;
  options.poisoned_token = 9;
  const std::string model = write_tiny_model(options);
  const outcome result = generate(model, {"--prompt-ids", "5,6", "--prompt-ids", "7,9", "-n", "4", "--json", "--ignore-eos"});
  CHECK(result.exit_code == 1);
  const auto objects = json_lines(result.out);
  REQUIRE(objects.size() == 2);
  CHECK(objects[0].at("tokens").size() == 4);
  CHECK(objects[1].at("finish_reason") == "error");
  CHECK_FALSE(objects[1].at("error").get<std::string>().empty());
}

TEST_CASE("a forbidden token is not generated and a stop string ends the text before it") {
  const std::string model = write_tiny_model();
  const std::vector<std::string> request{"-p", "hello", "-n", "16", "--temperature", "0", "--ignore-eos", "--json"};
  const json free = json::parse(generate(model, request).out);
  const auto first = free.at("tokens").at(0).get<int>();
  auto biased = request;
  biased.insert(biased.end(), {"--logit-bias", std::to_string(first) + "=-inf"});
  const json without_first = json::parse(generate(model, biased).out);
  for (const json& token : without_first.at("tokens")) CHECK(token != first);

  const std::string text = free.at("text");
  const size_t at = text.find_first_not_of(" \n", 3); // Some ASCII piece within the text, if it has one.
  if (at == std::string::npos || static_cast<unsigned char>(text[at]) >= 0x80) return;
  const std::string stop = text.substr(at, 1);
  auto stopped = request;
  stopped.insert(stopped.end(), {"--stop", stop});
  const json ended = json::parse(generate(model, stopped).out);
  CHECK(ended.at("finish_reason") == "stop");
  CHECK(ended.at("text") == text.substr(0, text.find(stop)));
}

TEST_CASE("Ctrl-C cancels: the object is still complete and the exit code is 130") {
  troupe_process process{{"generate", "-m", long_model(), "-p", "one", "-p", "two", "-n", "90000", "--ignore-eos",
                          "--threads", "2"}};
  process.write_and_close("");
  process.read_out(100); // The first text is under way.
  process.signal(SIGINT);
  const outcome text = process.finish();
  CHECK(text.exit_code == 130);
  CHECK(text.err.find("(cancelled)") != std::string::npos);
  CHECK(text.out.find("==> 2/2: two <==") != std::string::npos);
}

TEST_CASE("after Ctrl-C every JSON object is complete and says cancelled") {
  // The second, short prompt's object waits for the first's; both must come.
  troupe_process process{{"generate", "-m", long_model(), "-p", "short", "-p", "two", "-n", "90000", "--ignore-eos", "--json",
                          "--threads", "2"}};
  process.write_and_close("");
  std::this_thread::sleep_for(std::chrono::milliseconds(700)); // Nothing is printed before the end that could be waited for.
  process.signal(SIGTERM);
  const outcome result = process.finish();
  CHECK(result.exit_code == 143);
  const auto objects = json_lines(result.out);
  REQUIRE(objects.size() == 2);
  for (const json& object : objects) CHECK(object.at("finish_reason") == "cancelled");
}

TEST_CASE("SIGTERM ends what waits too: every prompt that was submitted has its object") {
  std::string lines;
  for (int i = 0; i < 2000; ++i) lines += "prompt " + std::to_string(i) + "\n";
  troupe_process process{{"generate", "-m", long_model(), "-f", write_temporary(lines, ".txt"), "--lines", "-n", "90000", "--ignore-eos",
                          "--json", "--threads", "2", "--parallel", "3"}};
  process.write_and_close("");
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  process.signal(SIGTERM);
  const outcome result = process.finish();
  CHECK(result.exit_code == 143);
  const auto objects = json_lines(result.out);
  CHECK(objects.size() > 3);
  CHECK(objects.size() <= 2000);
  size_t waited = 0;
  for (const json& object : objects) {
    CHECK(object.at("finish_reason") == "cancelled");
    waited += object.at("tokens").empty();
  }
  CHECK(waited + 3 >= objects.size()); // As many as ran at once have begun.
}

TEST_CASE("when the reader of stdout closes it the program ends by itself, without a message") {
  troupe_process process{{"generate", "-m", long_model(), "-p", "one", "-n", "90000", "--ignore-eos", "--threads", "2"}};
  process.write_and_close("");
  process.read_out(50);
  process.close_out();
  const outcome result = process.finish();
  CHECK(result.exit_code == 141);
  CHECK(result.err.empty());
}

TEST_CASE("a model file that shrinks while it is used changes no answer") {
  const auto whole = long_model();
  const auto shrinking = temporary_path(".gguf");
  std::filesystem::copy_file(whole, shrinking);
  std::vector<std::string> arguments{"generate", "-m", shrinking.string(), "-p", "hello", "-n", "3000", "-T", "0", "--ignore-eos"};
  troupe_process process(arguments);
  process.read_out(100); // Of some 3,000 tokens.
  std::filesystem::resize_file(shrinking, 1000);
  const outcome result = process.finish();
  INFO(result.err);
  CHECK(result.exit_code == 0);
  arguments[2] = whole;
  CHECK(result.out == run_troupe(arguments).out);
}

TEST_CASE("input that cannot be read is an input error that names it") {
  const std::string model = write_tiny_model();
  for (const std::string file : {"/", "/proc/self/mem", "/no/such/file"})
    for (const bool lines : {false, true}) {
      std::vector<std::string> more{"-f", file};
      if (lines) more.push_back("--lines");
      const outcome result = generate(model, more);
      INFO(file << " " << result.err);
      CHECK(result.exit_code == 3);
      CHECK(result.err.starts_with("troupe: generate: " + file + ": cannot be "));
    }
  for (const std::string command : {"chaos --plan", "inspect -m"}) {
    const auto space = command.find(' ');
    std::vector<std::string> arguments{command.substr(0, space), command.substr(space + 1), "/proc/self/mem"};
    if (command.starts_with("chaos")) arguments.insert(arguments.end(), {"-m", model});
    const outcome result = run_troupe(arguments);
    INFO(command << " " << result.err);
    CHECK(result.exit_code == 3);
    CHECK(result.err.find("/proc/self/mem: ") != std::string::npos);
  }
}
