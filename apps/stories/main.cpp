// The program `stories`: prints children's stories of a seeded generator.
#include "apps/stories/story.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace troupe::stories {
namespace {

struct options {
  uint64_t count = 1, seed = 1, first = 0;
  bool as_json = false, entropy = false;
};

constexpr const char* footer = R"(
Examples:
  stories --count 3 --seed 7
  stories --count 100000 --seed 1 > train.txt
  stories --count 1000 --seed 2 --json > held_out.jsonl
  stories --count 1000 --seed 2 --entropy

Stories are separated by an empty line; within a story there is none. Story number i of a seed is the same wherever one begins and
on every machine. Results go to stdout, everything else to stderr.

Exit codes: 0 done, 1 the output could not be written, 2 wrong usage, 141 the reader of the output closed it)";

/// The exit code of an output that failed.
int failed_output() {
  if (errno == EPIPE) return 141;
  std::fprintf(stderr, "stories: cannot write to stdout: %s\n", std::strerror(errno));
  return 1;
}

/// A percentage on stderr, if that is a terminal and the work takes longer than a moment.
class progress {
public:
  explicit progress(uint64_t count) : count_(count), enabled_(::isatty(STDERR_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 0) {}
  ~progress() {
    if (drawn_) std::fputs("\r\x1b[K", stderr);
  }
  void advance(uint64_t done) {
    if (!enabled_ || done % 1024 != 0 || std::chrono::steady_clock::now() - started_ < std::chrono::milliseconds(500)) return;
    std::fprintf(stderr, "\rstories: %d %%", static_cast<int>(100.0 * static_cast<double>(done) / static_cast<double>(count_)));
    drawn_ = true;
  }

private:
  uint64_t count_;
  bool enabled_, drawn_ = false;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

int print_stories(const options& asked) {
  progress bar{asked.count};
  std::string out;
  for (uint64_t i = 0; i < asked.count; ++i) {
    const story one = make_story(asked.seed, asked.first + i);
    if (asked.as_json) {
      out += nlohmann::json{{"text", one.text}}.dump() + "\n";
    } else {
      if (i > 0) out += "\n";
      out += one.text + "\n";
    }
    if (out.size() < (1u << 20) && i + 1 < asked.count) continue;
    if (std::fwrite(out.data(), 1, out.size(), stdout) != out.size()) return failed_output();
    out.clear();
    bar.advance(i + 1);
  }
  return std::fflush(stdout) == 0 ? 0 : failed_output();
}

int print_entropy(const options& asked) {
  progress bar{asked.count};
  double bits = 0;
  uint64_t words = 0, characters = 0;
  for (uint64_t i = 0; i < asked.count; ++i) {
    const story one = make_story(asked.seed, asked.first + i);
    bits += one.bits;
    characters += one.text.size();
    words +=
      1 + static_cast<uint64_t>(std::count_if(one.text.begin(), one.text.end(), [](char c) { return c == ' ' || c == '\n'; }));
    bar.advance(i + 1);
  }
  const auto stories = static_cast<double>(asked.count), all_words = static_cast<double>(words),
             all_characters = static_cast<double>(characters);
  if (asked.as_json) {
    std::printf(
      "%s\n", nlohmann::ordered_json{{"stories", asked.count}, {"words", words}, {"characters", characters}, {"bits", bits}}
                .dump()
                .c_str());
  } else {
    std::printf("%" PRIu64 " stories, %.1f words and %.1f characters each\n"
                "entropy of the choices: %.2f bits a story, %.4f bits a word, %.4f bits a character\n",
      asked.count, all_words / stories, all_characters / stories, bits / stories, bits / all_words, bits / all_characters);
  }
  return std::fflush(stdout) == 0 ? 0 : failed_output();
}

int stories_main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  options asked;
  CLI::App app{"Prints children's stories that a seeded generator makes up.", "stories"};
  app.add_option("--count", asked.count, "How many stories")
    ->type_name("N")
    ->check(CLI::Range(uint64_t(1), uint64_t(1) << 40))
    ->capture_default_str();
  app.add_option("--seed", asked.seed, "Another seed, other stories")->type_name("N")->capture_default_str();
  app.add_option("--first", asked.first, "Begin with the story of this index")->type_name("N")->capture_default_str();
  app.add_flag("--json", asked.as_json, R"(A line {"text": ...} for each story; with --entropy: the sums)");
  app.add_flag("--entropy", asked.entropy, "Print how much information the generator's choices hold, instead of the stories");
  app.footer(footer);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) { // --help
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "stories: %s\nSee: stories --help\n", error.what());
    return 2;
  }
  return asked.entropy ? print_entropy(asked) : print_stories(asked);
}

} // namespace
} // namespace troupe::stories

int main(int argc, char** argv) { return troupe::stories::stories_main(argc, argv); }
