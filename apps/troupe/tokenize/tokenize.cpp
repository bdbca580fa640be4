// troupe tokenize: text to token ids, and back.
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "model/error.hpp"
#include "model/model_file.hpp"
#include "model/tokenizer/make_tokenizer.hpp"
#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

namespace troupe {
namespace {

using json = nlohmann::ordered_json;

struct tokenize_options {
  run_options run;
  std::optional<std::string> text;
  std::optional<std::string> decode; // Ids.
  bool no_special = false;
  bool special_text = false;
  bool as_json = false;
};

constexpr const char* examples =
  R"(  troupe tokenize -m stories260K.gguf --text "Once upon a time"
  troupe tokenize -m stories260K.gguf --text "Once upon a time" --json
  troupe tokenize -m stories260K.gguf --decode 1,403,407,261,378
  troupe tokenize -m stories260K.gguf --no-special < lines.txt)";

void declare_options(CLI::App& app, tokenize_options& options) {
  declare_model(app, options.run);
  auto* text = app.add_option("--text", options.text, "The text; without it every line of stdin is one")
                 ->type_name("TEXT");
  auto* plain = app.add_flag("--no-special", options.no_special,
                             "Add no special tokens and take the text of special tokens literally");
  auto* decode = app.add_option("--decode", options.decode, "Token ids to turn back into text, such as 1,403,407")
                   ->type_name("IDS");
  decode->excludes(text)->excludes(plain);
  app.add_flag("--special-text", options.special_text, "Decode special tokens to their text (default: to nothing)")
    ->needs(decode);
  app.add_flag("--json", options.as_json, R"(Print {"ids": [...], "pieces": [...]}; decoding: {"text": ...})");
  declare_threads(app, options.run); // Accepted by every command; one thread is enough here.
  declare_quiet(app, options.run);
  declare_examples(app, examples);
}

void print_line(const json& object) { print(object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"); }

void print_ids(const tokenizer& words, const tokenize_options& options, std::string_view text) {
  const auto special = options.no_special ? special_tokens::never : special_tokens::as_file;
  const std::vector<uint32_t> ids = words.encode(text, special);
  if (options.as_json) {
    json pieces = json::array();
    for (const uint32_t id : ids) pieces.push_back(words.piece(id));
    return print_line({{"ids", ids}, {"pieces", pieces}});
  }
  std::string line;
  for (const uint32_t id : ids) line += (line.empty() ? "" : ",") + std::to_string(id);
  print(line + "\n");
}

void print_text(const tokenizer& words, const tokenize_options& options, std::span<const uint32_t> ids) {
  const std::string text = words.decode(ids, options.special_text);
  if (options.as_json) return print_line({{"text", text}});
  print(text + "\n");
}

int run_tokenize(const tokenize_options& options) {
  std::vector<uint32_t> ids;
  if (options.decode && !options.decode->empty()) ids = parse_ids(*options.decode, "--decode");
  const auto model = open_model(options.run.model);
  if (model->words.kind == tokenizer_kind::none) {
    throw input_error(options.run.model + ": the file has no vocabulary, only token ids");
  }
  const auto words = make_tokenizer(model->words);
  if (options.decode) {
    print_text(*words, options, ids);
  } else if (options.text) {
    print_ids(*words, options, *options.text);
  } else {
    for (std::string line; std::getline(std::cin, line);) print_ids(*words, options, line);
    // std::cin takes what it cannot read for the end.
    if (std::cin.bad() || std::ferror(stdin) != 0) throw input_error("stdin: cannot be read: " + std::string(std::strerror(errno)));
  }
  return exit_ok;
}

} // namespace

command_run declare_tokenize(CLI::App& app) {
  const auto options = std::make_shared<tokenize_options>();
  declare_options(app, *options);
  return [options] { return run_tokenize(*options); };
}

} // namespace troupe
