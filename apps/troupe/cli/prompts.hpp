#pragma once
// Where prompts come from: the command line, files, stdin.
#include <cstdint>
#include <string>
#include <vector>

namespace CLI { class App; }

namespace troupe {

struct prompt_options {
  std::vector<std::string> texts; // --prompt
  std::vector<std::string> words; // Without an option's name before it.
  std::vector<std::string> files; // --prompt-file; "-" is stdin.
  std::vector<std::string> ids;   // --prompt-ids: a prompt as token ids each.
  bool lines = false;             // Every line of a file is a prompt.
};

void declare_prompts(CLI::App& app, prompt_options& options);
/// Throws usage_error for what can be seen without reading anything.
void check(const prompt_options& options);

struct prompt {
  std::string text;
  std::vector<uint32_t> ids; // Where the prompt was given as ids; then text is empty.
};

/// All prompts, in order: texts, words, files, ids. Stdin when nothing was given and it is not a terminal. The line
/// break at the end of a file (and of each line) is not part of the prompt. Throws input_error for a file that cannot be read
/// and when there is no prompt at all.
std::vector<prompt> read_prompts(const prompt_options& options);

} // namespace troupe
