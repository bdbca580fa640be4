// troupe tokenize: text to token ids, and back.
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/tasks.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "model/error.hpp"
#include "model/formats/open_vocabulary.hpp"
#include "model/tokenizer/make_tokenizer.hpp"
#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

namespace troupe {
namespace {

using json = nlohmann::ordered_json;

struct tokenize_options {
  run_options run;
  std::optional<std::string> text, pair;
  std::optional<std::string> decode; // Ids.
  bool no_special = false;
  bool special_text = false;
  bool offsets = false;
  truncation limit;
  bool as_json = false;
};

constexpr const char* examples =
  R"(  troupe tokenize -m stories260K.gguf --text "Once upon a time"
  troupe tokenize -m stories260K.gguf --text "Once upon a time" --json --offsets
  troupe tokenize -m stories260K.gguf --decode 1,403,407,261,378
  troupe tokenize -m stories260K.gguf --no-special < lines.txt
  troupe tokenize -m bert-base-uncased --text "Who was there?" --pair "Mia watched it." --json
  troupe tokenize -m opus-mt-en-de/source.spm --text "A sentencepiece model alone")";

void declare_options(CLI::App& app, tokenize_options& options) {
  declare_model(app, options.run);
  auto* text = app.add_option("--text", options.text, "The text; without it every line of stdin is one")
                 ->type_name("TEXT");
  auto* pair = app.add_option("--pair", options.pair, "A second text, put together with --text as the model takes two")
                 ->type_name("TEXT")->needs(text);
  auto* plain = app.add_flag("--no-special", options.no_special,
                             "Add no special tokens and take the text of special tokens literally");
  const std::map<std::string, truncation::what> cuts{{"longest_first", truncation::what::longest_first},
                                                     {"only_first", truncation::what::only_first},
                                                     {"only_second", truncation::what::only_second}};
  auto* most = app.add_option("--max-tokens", options.limit.tokens_max, "Cut what is longer, special tokens included")
                 ->type_name("N")->check(CLI::PositiveNumber);
  auto* cut = app.add_option("--truncate", options.limit.from,
                             "Which text --max-tokens cuts: longest_first (default), only_first, only_second")
                ->transform(CLI::CheckedTransformer(cuts).description(""))->type_name("WHICH")->needs(most)->needs(pair);
  auto* decode = app.add_option("--decode", options.decode, "Token ids to turn back into text, such as 1,403,407")
                   ->type_name("IDS");
  decode->excludes(text)->excludes(pair)->excludes(plain)->excludes(most)->excludes(cut);
  app.add_flag("--special-text", options.special_text, "Decode special tokens to their text (default: to nothing)")
    ->needs(decode);
  auto* as_json = app.add_flag("--json", options.as_json, R"(Print {"ids": [...], "pieces": [...]}; with --pair also "segments" )"
                                                          R"((0 or 1) and "texts"; decoding: {"text": ...})");
  app.add_flag("--offsets", options.offsets, R"(Add "offsets": the bytes [begin, end) of the text that each token is from)")
    ->needs(as_json)->excludes(decode);
  declare_threads(app, options.run); // Accepted by every command; one thread is enough here.
  declare_quiet(app, options.run);
  declare_examples(app, examples);
}

void print_line(const json& object) { print(json_line(object)); }

/// Of each token the text that it is of, 0 or 1; null for one that was added.
json texts_of(const encoding& found) {
  json texts = json::array();
  for (const auto part : found.parts)
    texts.push_back(part == encoding::part::special ? json() : json(part == encoding::part::second ? 1 : 0));
  return texts;
}

json offsets_of(const encoding& found) {
  json offsets = json::array();
  for (size_t i = 0; i < found.tokens.size(); ++i) {
    const bool is_added = found.parts[i] == encoding::part::special;
    offsets.push_back(is_added ? json() : json::array({found.tokens[i].begin, found.tokens[i].end}));
  }
  return offsets;
}

void print_ids(const tokenizer& words, const tokenize_options& options, std::string_view text) {
  const auto special = options.no_special ? special_tokens::never : special_tokens::as_file;
  const bool is_plain = !options.pair && !options.offsets && options.limit.tokens_max == truncation().tokens_max;
  encoding found;
  if (is_plain)
    found.ids = words.encode(text, special);
  else
    found = options.pair ? words.encode_pair(text, *options.pair, special, options.limit)
                         : words.encode_traced(text, special, options.limit);
  if (!options.as_json) {
    std::string line;
    for (const uint32_t id : found.ids) line += (line.empty() ? "" : ",") + std::to_string(id);
    return print(line + "\n");
  }
  json pieces = json::array();
  for (const uint32_t id : found.ids) pieces.push_back(words.piece(id));
  json object{{"ids", found.ids}, {"pieces", pieces}};
  if (options.pair) {
    object["segments"] = found.segments;
    object["texts"] = texts_of(found);
  }
  if (options.offsets) object["offsets"] = offsets_of(found);
  print_line(object);
}

void print_text(const tokenizer& words, const tokenize_options& options, std::span<const uint32_t> ids) {
  const std::string text = words.decode(ids, options.special_text);
  if (options.as_json) return print_line({{"text", text}});
  print(text + "\n");
}

int run_tokenize(const tokenize_options& options) {
  std::vector<uint32_t> ids;
  if (options.decode && !options.decode->empty()) ids = parse_ids(*options.decode, "--decode");
  const vocabulary vocabulary = open_vocabulary(options.run.model);
  if (!options.run.quiet)
    for (const auto& warning : vocabulary.warnings) note("warning: " + options.run.model + ": " + warning);
  if (vocabulary.kind == tokenizer_kind::none) throw input_error(options.run.model + ": there is no vocabulary, only token ids");
  const auto words = make_tokenizer(vocabulary);
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
