#include "apps/generators/program.hpp"
#include "apps/generators/progress.hpp"
#include "model/error.hpp"
#include "model/formats/atomic_file.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

namespace troupe::generators {
namespace {

struct options {
  uint64_t count = 1, seed = 1, first = 0;
  std::string out;
  bool as_json = false, entropy = false, held_out = false;
};

/// stdout, or a file that appears when it is whole. Throws input_error.
class output {
public:
  explicit output(const std::string& file) {
    if (!file.empty()) file_.emplace(file);
  }
  /// False if stdout does not take it; errno says why.
  bool write(std::string_view text) {
    if (!file_) return std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
    file_->write(std::as_bytes(std::span(text)));
    return true;
  }
  bool finish() {
    if (!file_) return std::fflush(stdout) == 0;
    file_->commit();
    return true;
  }

private:
  std::optional<atomic_file> file_;
};

/// The exit code of a stdout that failed.
int failed_output(const generator& made) {
  if (errno == EPIPE) return 141;
  std::fprintf(stderr, "%s: cannot write to stdout: %s\n", made.name, std::strerror(errno));
  return 1;
}

std::string line_of(const generator& made, const record& one, bool as_json) {
  if (as_json) {
    nlohmann::ordered_json fields;
    for (size_t i = 0; i < one.values.size(); ++i) fields[made.fields[i]] = one.values[i];
    return fields.dump() + "\n";
  }
  std::string line;
  for (const std::string& value : one.values) line += (line.empty() ? "" : "\t") + value;
  return line + "\n";
}

int print_records(const generator& made, const options& asked) {
  output to(asked.out);
  progress bar(made.name, asked.count, asked.out.empty());
  std::string text;
  for (uint64_t i = 0; i < asked.count; ++i) {
    if (is_interrupted()) return 130;
    if (i > 0 && !asked.as_json) text += made.between;
    text += line_of(made, made.make(asked.seed, asked.first + i, asked.held_out ? part::held_out : part::training), asked.as_json);
    bar.advance(i + 1);
    if (text.size() < (1u << 20)) continue;
    if (!to.write(text)) return failed_output(made);
    text.clear();
  }
  return to.write(text) && to.finish() ? 0 : failed_output(made);
}

int print_entropy(const generator& made, const options& asked) {
  progress bar(made.name, asked.count, asked.out.empty());
  double bits = 0;
  uint64_t words = 0, characters = 0;
  for (uint64_t i = 0; i < asked.count; ++i) {
    if (is_interrupted()) return 130;
    const record one = made.make(asked.seed, asked.first + i, part::training);
    const std::string& text = one.values[0];
    bits += one.bits;
    characters += text.size();
    words += 1 + static_cast<uint64_t>(std::count_if(text.begin(), text.end(), [](char c) { return c == ' ' || c == '\n'; }));
    bar.advance(i + 1);
  }
  const auto records = static_cast<double>(asked.count), all_words = static_cast<double>(words),
             all_characters = static_cast<double>(characters);
  if (asked.as_json) {
    const nlohmann::ordered_json sums{{made.noun, asked.count}, {"words", words}, {"characters", characters}, {"bits", bits}};
    std::printf("%s\n", sums.dump().c_str());
  } else {
    std::printf("%" PRIu64 " %s, %.1f words and %.1f characters each\n"
                "entropy of the choices: %.2f bits each, %.4f bits a word, %.4f bits a character\n",
      asked.count, made.noun, all_words / records, all_characters / records, bits / records, bits / all_words, bits / all_characters);
  }
  return std::fflush(stdout) == 0 ? 0 : failed_output(made);
}

/// Behind each generator's own footer.
constexpr const char* common_footer = R"(
Results go to stdout or the file of --out, everything else to stderr.

Exit codes: 0 done, 1 the output could not be written, 2 wrong usage, 130 interrupted, 141 the reader of the output
closed it)";

} // namespace

int run(const generator& made, int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  watch_interrupts();
  options asked;
  CLI::App app{made.description, made.name};
  const std::string noun = made.noun;
  app.add_option("--count", asked.count, "How many " + noun)
    ->type_name("N")
    ->check(CLI::Range(uint64_t(1), uint64_t(1) << 40))
    ->capture_default_str();
  app.add_option("--seed", asked.seed, "Another seed, other " + noun)->type_name("N")->check(CLI::NonNegativeNumber)->capture_default_str();
  app.add_option("--first", asked.first, "Begin with this index, counted from 0")->type_name("N")->capture_default_str();
  app.add_option("--out", asked.out, "Write to this file, which appears when it is whole, instead of stdout")->type_name("FILE");
  app.add_flag("--json", asked.as_json, "A JSON object in a line for each");
  if (made.has_parts) app.add_flag("--held-out", asked.held_out, "Texts for validation: none of them is in the training data of any seed");
  if (made.has_entropy) {
    app.add_flag("--entropy", asked.entropy, "Print how much information the generator's choices hold, instead of the " + noun)
      ->excludes(app.get_option("--out"));
  }
  app.footer(std::string(made.footer) + common_footer);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) { // --help
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "%s: %s\nSee: %s --help\n", made.name, error.what(), made.name);
    return 2;
  }
  try {
    return asked.entropy ? print_entropy(made, asked) : print_records(made, asked);
  } catch (const input_error& error) {
    std::fprintf(stderr, "%s: %s\n", made.name, error.what());
    return 1;
  }
}

} // namespace troupe::generators
