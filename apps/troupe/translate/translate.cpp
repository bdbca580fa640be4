// troupe translate: source texts in, target texts out, by a model with an encoder and a decoder.
#include "apps/troupe/cli/command.hpp"
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

/// Where neither the command line nor the model says how long a target text may be.
constexpr uint32_t tokens_max_otherwise = 256;

struct translate_options {
  run_options run;
  prompt_options texts;
  encoding_options encoding;
  // Nothing: what the model's own configuration says.
  std::optional<uint32_t> tokens_max, tokens_min, beams, no_repeat_ngram;
  uint32_t best = 1;
  std::optional<float> length_penalty;
  bool stops_early = false, stops_late = false;
  std::optional<std::string> forced_first, forced_last; // A token id, or "none".
  std::vector<std::string> forbidden;                   // Token ids, or "none".
  bool samples = false;
  sampling_arguments sampling;
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
  const auto count = [&](const char* name, auto& value, uint32_t least, const char* help) {
    return app.add_option(name, value, help)->check(CLI::Range(least, 1u << 30))->type_name("N");
  };
  count("-n,--max-tokens", options.tokens_max, 1, "Most tokens of a target text (default: the model's own limit, or 256)");
  count("--min-tokens", options.tokens_min, 0, "Least tokens before a target text may end");
  auto* beams = app.add_option("-b,--beams", options.beams, "Beam search with so many beams; 1: greedy")
                  ->check(CLI::Range(1, 1024))->type_name("B");
  auto* best = app.add_option("--n-best", options.best, "Give the K best target texts of each beam search")
                 ->check(CLI::Range(1, 1024))->type_name("K")->capture_default_str();
  auto* penalty = app.add_option("--length-penalty", options.length_penalty,
                                 "Divide the sum of log-probabilities by the length to this power; above 0 favours long texts")
                    ->type_name("P");
  auto* early = app.add_flag("--early-stopping", options.stops_early, "Stop a search as soon as there are as many texts as beams");
  auto* late = app.add_flag("--no-early-stopping", options.stops_late, "Stop when no better text can be expected")->excludes(early);
  count("--no-repeat-ngram", options.no_repeat_ngram, 0, "No N tokens in a row twice in a target text; 0: no such rule");
  app.add_option("--force-first", options.forced_first, "The first token of each target text, such as a language's; none: no such rule")
    ->type_name("ID");
  app.add_option("--force-last", options.forced_last, "The token that a text ends with where --max-tokens cuts it; none: no such rule")
    ->type_name("ID");
  app.add_option("--forbid", options.forbidden,
                 "Tokens that must not occur in this order, such as 5,6; may be repeated; in place of the model's own; none: no such rule")
    ->allow_extra_args(false)->type_name("IDS");
  auto* samples = app.add_flag("--sample", options.samples, "Draw one text at random instead of a search; it has no score");
  samples->excludes(beams)->excludes(best)->excludes(penalty)->excludes(early)->excludes(late);
  declare_sampling(app, options.sampling, samples);
  app.add_flag("--json", options.json, "One JSON object for each text, a line each, in order");
  declare_engine(app, options.run);
  declare_quiet(app, options.run);
  declare_examples(app, examples);
}

std::optional<uint32_t> forced_token(const std::string& text, const char* option) {
  if (text == "none") return std::nullopt;
  const auto ids = parse_ids(text, option);
  if (ids.size() != 1) throw usage_error(std::string(option) + ": \"" + text + "\" is more than one token");
  return ids.front();
}

void check(translate_options& options) {
  check(options.texts);
  check(options.sampling);
  if (options.forced_first) forced_token(*options.forced_first, "--force-first");
  if (options.forced_last) forced_token(*options.forced_last, "--force-last");
  for (const auto& ids : options.forbidden)
    if (ids != "none") parse_ids(ids, "--forbid");
  if (options.beams && options.best > *options.beams)
    throw usage_error("--n-best: " + std::to_string(options.best) + " texts of " + std::to_string(*options.beams) + " beams");
  if (options.tokens_min && options.tokens_max && *options.tokens_min > *options.tokens_max)
    throw usage_error("--min-tokens: " + std::to_string(*options.tokens_min) + " tokens at least and " +
                      std::to_string(*options.tokens_max) + " at most");
  if (options.length_penalty)
    if (const auto reason = invalid(beam_options{.length_penalty = *options.length_penalty}); !reason.empty()) throw usage_error(reason);
}

token_rules make_rules(const translate_options& options, const decoding_defaults& own) {
  token_rules rules = own.rules;
  if (options.tokens_min) rules.tokens_min = *options.tokens_min;
  if (options.no_repeat_ngram) rules.no_repeat_ngram = *options.no_repeat_ngram;
  if (options.forced_first) rules.forced_first = forced_token(*options.forced_first, "--force-first");
  // The model's own goes with its own limit. Where the command line sets one, a text that does not end by itself shows that.
  if (options.tokens_max) rules.forced_last.reset();
  if (options.forced_last) rules.forced_last = forced_token(*options.forced_last, "--force-last");
  if (options.forbidden.empty()) return rules;
  rules.forbidden.clear();
  for (const auto& ids : options.forbidden)
    if (ids != "none") rules.forbidden.push_back(parse_ids(ids, "--forbid"));
  return rules;
}

beam_options make_search(const translate_options& options, const decoding_defaults& own) {
  beam_options search = own.search;
  if (options.beams) search.beams = *options.beams;
  search.best = options.best;
  if (options.length_penalty) search.length_penalty = *options.length_penalty;
  if (options.stops_early) search.stopping = early_stopping::yes;
  if (options.stops_late) search.stopping = early_stopping::no;
  // One beam that ends where its likeliest token does is greedy decoding.
  if (search.beams == 1) search.stopping = early_stopping::yes;
  if (const auto reason = invalid(search); !reason.empty()) throw usage_error(reason);
  return search;
}

/// Without the source.
generate_request make_request(const translate_options& options, const model_file& model) {
  generate_request request;
  request.tokens_max = options.tokens_max.value_or(model.decoding.tokens_max.value_or(tokens_max_otherwise));
  request.rules = make_rules(options, model.decoding);
  if (const auto reason = invalid(request.rules, model.spec.vocabulary); !reason.empty()) throw usage_error(reason);
  request.sampling = options.sampling.chosen;
  if (const auto reason = invalid(request.sampling, model.spec.vocabulary); !reason.empty()) throw usage_error(reason);
  if (!options.samples) request.beams = make_search(options, model.decoding);
  return request;
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
  check(options);
  prompt_source texts{options.texts};
  const prompt first = first_prompt(texts);
  const auto model = open_model(options.run);
  require_command(*model, "translate");
  if (!options.run.quiet)
    for (const auto& one : model->decoding.ignored)
      if (one.key != "do_sample" || !options.samples) note("warning: " + one.reason + " (ignored)");
  const generate_request common = make_request(options, *model);
  const auto troupe_engine = start_engine(model, options.run);
  const auto words = troupe_engine->words();
  const uint32_t positions = model->spec.encoder->context_length, start = model->spec.start_token;
  const auto make = [&](const prompt& text) {
    generate_request request = common;
    request.source = encode(words.get(), text, positions, options.encoding).ids;
    return task{{std::move(request)}, [&options, words, start](const std::vector<task_result>& results) {
      const auto all = translations_of(results.front(), options.samples);
      return options.json ? json_line(to_json(all, start, words.get())) : to_text(all, options.best > 1, words.get());
    }};
  };
  return run_tasks(*troupe_engine, options.run, {"translate", options.json}, texts, first, make);
}

} // namespace

command_run declare_translate(CLI::App& app) {
  const auto options = std::make_shared<translate_options>();
  declare_options(app, *options);
  return [options] { return run_translate(*options); };
}

} // namespace troupe
