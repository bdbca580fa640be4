#include "apps/troupe/cli/decoding.hpp"
#include "apps/troupe/cli/command.hpp"
#include <CLI/CLI.hpp>

namespace troupe {
namespace {

/// Where neither the command line nor the model says how long a target text may be.
constexpr uint32_t tokens_max_otherwise = 256;

std::optional<uint32_t> forced_token(const std::string& text, const char* option) {
  if (text == "none") return std::nullopt;
  const auto ids = parse_ids(text, option);
  if (ids.size() != 1) throw usage_error(std::string(option) + ": \"" + text + "\" is more than one token");
  return ids.front();
}

token_rules make_rules(const decoding_arguments& options, const decoding_defaults& own) {
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

beam_options make_search(const decoding_arguments& options, const decoding_defaults& own) {
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

} // namespace

void declare_decoding(CLI::App& app, decoding_arguments& options) {
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
}

void check(decoding_arguments& options) {
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

generate_request make_request(const decoding_arguments& options, const model_file& model) {
  generate_request request;
  request.tokens_max = options.tokens_max.value_or(model.decoding.tokens_max.value_or(tokens_max_otherwise));
  request.rules = make_rules(options, model.decoding);
  if (const auto reason = invalid(request.rules, model.spec.vocabulary); !reason.empty()) throw usage_error(reason);
  request.sampling = options.sampling.chosen;
  if (const auto reason = invalid(request.sampling, model.spec.vocabulary); !reason.empty()) throw usage_error(reason);
  if (!options.samples) request.beams = make_search(options, model.decoding);
  return request;
}

} // namespace troupe
