// troupe translate: source texts in, target texts out, by a model with an encoder and a decoder.
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/decoding.hpp"
#include "apps/troupe/cli/model_command.hpp"
#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/prompts.hpp"
#include "apps/troupe/cli/session.hpp"
#include "apps/troupe/cli/tasks.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace troupe {
namespace {

using json = nlohmann::ordered_json;

struct translate_options {
  run_options run;
  prompt_options texts;
  encoding_options encoding;
  decoding_arguments decoding;
  bool json = false;
};

constexpr const char* examples =
  R"(  troupe translate -m opus-mt-en-de "How are you?"
  troupe translate -m opus-mt-en-de "How are you?" "See you tomorrow." --beams 6 --n-best 3 --json
  troupe translate -m opus-mt-en-de < lines.txt > translated.txt
  troupe translate -m flan-t5-small "translate English to German: How old are you?" --max-tokens 40 --no-repeat-ngram 3
  troupe translate -m bart-large-cnn --file articles.txt --truncate --length-penalty 2 --min-tokens 56
  troupe translate -m flan-t5-small "Tell me a joke." --sample --temperature 0.9 --seed 7

What is not said here is as the model's generation_config.json (or config.json) says. With --json each text gives
{"sequences": [[...]], "scores": [...], "texts": [...]}, the best first.)";

void declare_options(CLI::App& app, translate_options& options) {
  declare_model(app, options.run);
  declare_texts(app, options.texts, true);
  declare_truncation(app, options.encoding);
  declare_decoding(app, options.decoding);
  app.add_flag("--json", options.json, "One JSON object for each text, a line each, in order");
  declare_engine(app, options.run);
  declare_quiet(app, options.run);
  declare_examples(app, examples);
}

/// What a request found, the best first; what was drawn has no score.
struct translation {
  std::vector<uint32_t> tokens;
  std::optional<float> score;
};

std::vector<translation> translations_of(const task_result& result, bool samples) {
  if (samples) return {{result.tokens, std::nullopt}};
  std::vector<translation> all;
  for (const auto& one : result.hypotheses) all.push_back({one.tokens, one.score});
  return all;
}

json to_json(const std::vector<translation>& all, uint32_t start_token, const tokenizer* words) {
  json object{{"sequences", json::array()}, {"scores", json::array()}, {"texts", json::array()}};
  for (const auto& one : all) {
    std::vector<uint32_t> sequence{start_token};
    sequence.insert(sequence.end(), one.tokens.begin(), one.tokens.end());
    object["sequences"].push_back(std::move(sequence));
    object["scores"].push_back(one.score ? json(plain(*one.score)) : json());
    object["texts"].push_back(words ? json(words->decode(one.tokens)) : json());
  }
  return object;
}

/// A text a line; where several are wanted, with its score before it. Token ids where the model has no vocabulary.
std::string to_text(const std::vector<translation>& all, bool with_scores, const tokenizer* words) {
  std::string out;
  for (const auto& one : all) {
    char score[40] = "";
    if (with_scores && one.score) std::snprintf(score, sizeof score, "%.4f\t", double(*one.score));
    out += score;
    if (words) out += on_one_line(words->decode(one.tokens));
    else
      for (size_t i = 0; i < one.tokens.size(); ++i) out += (i > 0 ? "," : "") + std::to_string(one.tokens[i]);
    out += '\n';
  }
  return out;
}

int run_translate(translate_options& options) {
  check(options.texts);
  check(options.decoding);
  prompt_source texts{options.texts};
  const prompt first = first_prompt(texts);
  const auto model = open_model(options.run);
  require_command(*model, "translate");
  if (!options.run.quiet)
    for (const auto& one : model->decoding.ignored)
      if (one.key != "do_sample" || !options.decoding.samples) note("warning: " + one.reason + " (ignored)");
  const generate_request common = make_request(options.decoding, *model);
  const auto troupe_engine = start_engine(model, options.run);
  const auto words = troupe_engine->words();
  const uint32_t positions = model->spec.encoder->context_length, start = model->spec.start_token;
  const auto make = [&](const prompt& text) {
    generate_request request = common;
    request.source = encode(words.get(), text, positions, options.encoding).ids;
    return task{{std::move(request)}, [&options, words, start](const std::vector<task_result>& results) {
      const auto all = translations_of(results.front(), options.decoding.samples);
      return options.json ? json_line(to_json(all, start, words.get())) : to_text(all, options.decoding.best > 1, words.get());
    }};
  };
  return run_tasks(*troupe_engine, options.run, {"translate", failures_in(options.json)}, texts, first, make);
}

} // namespace

command_run declare_translate(CLI::App& app) {
  const auto options = std::make_shared<translate_options>();
  declare_options(app, *options);
  return [options] { return run_translate(*options); };
}

} // namespace troupe
