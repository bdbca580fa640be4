#pragma once
// Texts in, an answer for each out: what all commands share that run a model on texts and do not stream.
#include "actors/engine.hpp"
#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/prompts.hpp"
#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

/// What came of one request.
struct task_result {
  std::vector<float> rows;      // Where results were wanted: [rows, columns], see output_spec.
  std::vector<uint32_t> tokens; // Generated.
  std::vector<hypothesis> hypotheses;
};

/// What a text becomes: at least one request, and the answer once all have finished.
struct task {
  std::vector<generate_request> requests;
  std::function<std::string(const std::vector<task_result>& results)> answer; // What is printed, with its line break.
};
/// Throws input_error for a text that cannot be served; it then fails alone.
using task_maker = std::function<task(const prompt& input)>;

/// What is printed for a text that fails: {"error": ...}; an empty line, so that every text has its own; nothing.
enum class failure_form : uint8_t { json, empty_line, nothing };
inline failure_form failures_in(bool json) { return json ? failure_form::json : failure_form::empty_line; }

struct task_options {
  std::string command; // For messages.
  failure_form failure = failure_form::empty_line;
  std::string input = "text"; // What there is an answer to each of; for messages.
  size_t kept_max = SIZE_MAX; // How many are under way at once, at most: fewer than usual where each takes much memory.
};

/// Runs all of them and prints their answers in the order of the texts, each as soon as those before it are printed. `first`: the
/// text that was read already. Ctrl-C ends what is under way. Returns the exit code.
int run_tasks(engine& on, const run_options& run, const task_options& options, prompt_source& texts, const prompt& first,
              const task_maker& make);

/// How texts become tokens that a model has room for.
struct encoding_options {
  std::optional<std::string> pair; // A second text, behind each.
  bool truncates = false;
  std::optional<uint32_t> tokens_max; // What it is cut to; else what the model takes.
};
void declare_truncation(CLI::App& app, encoding_options& options);
/// Throws input_error: the model has no vocabulary, the text is empty, or longer than `positions` and not to be cut. words: may be
/// null when the text is ids.
encoding encode(const tokenizer* words, const prompt& text, uint32_t positions, const encoding_options& options);

/// One object on a line.
std::string json_line(const nlohmann::ordered_json& object);
/// With spaces for line breaks: a text that has its own line.
std::string on_one_line(std::string text);
/// The double that prints as the float does: 1e-05, not 9.999999747378752e-06.
double plain(float value);

} // namespace troupe
