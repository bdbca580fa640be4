#include "apps/troupe/cli/prompts.hpp"
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/options.hpp"
#include "model/error.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <unistd.h>

namespace troupe {
namespace {

void read_from(std::istream& in, const std::string& name, bool lines, std::vector<prompt>& prompts) {
  std::string text;
  if (lines) {
    while (std::getline(in, text)) prompts.push_back({text, {}});
  } else {
    std::string part(1 << 16, '\0');
    while (in.read(part.data(), std::streamsize(part.size())) || in.gcount() > 0) text.append(part, 0, size_t(in.gcount()));
    if (text.ends_with('\n')) text.pop_back();
    prompts.push_back({text, {}});
  }
  // std::cin takes what it cannot read for the end.
  if (in.bad() || (&in == &std::cin && std::ferror(stdin) != 0)) throw input_error(name + ": cannot be read: " + std::strerror(errno));
}

void read_file(const std::string& name, bool lines, std::vector<prompt>& prompts) {
  if (name == "-") return read_from(std::cin, "stdin", lines, prompts);
  std::ifstream in{name, std::ios::binary};
  if (!in) throw input_error(name + ": cannot be opened: " + std::strerror(errno));
  read_from(in, name, lines, prompts);
}

bool none_given(const prompt_options& options) {
  return options.texts.empty() && options.words.empty() && options.files.empty() && options.ids.empty();
}

} // namespace

void declare_prompts(CLI::App& app, prompt_options& options) {
  app.add_option("-p,--prompt", options.texts, "A prompt; may be repeated")
    ->allow_extra_args(false)->type_name("TEXT");
  app.add_option("text", options.words, "Prompts, as arguments")->type_name("");
  app.add_option("-f,--prompt-file", options.files, "Read a prompt from a file, - for stdin; may be repeated")
    ->allow_extra_args(false)->type_name("FILE");
  app.add_option("--prompt-ids", options.ids, "A prompt as token ids, such as 1,403,407; may be repeated")
    ->allow_extra_args(false)->type_name("IDS");
  app.add_flag("--lines", options.lines, "Every line of a prompt file (or of stdin) is a prompt of its own");
}

void check(const prompt_options& options) {
  for (const std::string& ids : options.ids) parse_ids(ids, "--prompt-ids");
  if (std::count(options.files.begin(), options.files.end(), "-") > 1) {
    throw usage_error("--prompt-file: stdin can be read only once");
  }
  if (none_given(options) && ::isatty(STDIN_FILENO) == 1) {
    throw usage_error("no prompt: give one as an argument, with --prompt, with --prompt-file, or on stdin");
  }
}

std::vector<prompt> read_prompts(const prompt_options& options) {
  std::vector<prompt> prompts;
  for (const std::string& text : options.texts) prompts.push_back({text, {}});
  for (const std::string& text : options.words) prompts.push_back({text, {}});
  for (const std::string& name : options.files) read_file(name, options.lines, prompts);
  for (const std::string& ids : options.ids) prompts.push_back({"", parse_ids(ids, "--prompt-ids")});
  if (none_given(options)) read_from(std::cin, "stdin", options.lines, prompts);
  if (prompts.empty()) throw input_error("there is not one line to take as a prompt");
  return prompts;
}

} // namespace troupe
