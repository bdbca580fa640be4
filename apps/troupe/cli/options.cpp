#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/command.hpp"
#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>

namespace troupe {

void declare_model(CLI::App& app, run_options& options) {
  app.add_option("-m,--model", options.model, "Model: a GGUF file, or a folder as Hugging Face publishes models")
    ->required()->type_name("PATH");
}

void declare_threads(CLI::App& app, run_options& options) {
  app.add_option("-t,--threads", options.threads,
                 "Worker threads (default: as many as processors may be used, by affinity and CPU quota); never changes the result")
    ->check(CLI::Range(1, 1024))->type_name("N");
}

namespace {

void declare_workers(CLI::App& app, run_options& options) {
  auto* workers = app.add_option("--workers", options.workers,
                                 "Let so many processes of this machine compute the layers: one that dies is replaced, and no request is "
                                 "lost with it; never changes the result")
                    ->check(CLI::Range(1, 64))->type_name("N");
  app.add_option("--spares", options.spares, "So many workers more, which wait with all weights loaded for one to fail")
    ->check(CLI::Range(1, 64))->needs(workers)->type_name("N");
  app.add_option("--cluster", options.cluster, "Let the nodes that this file names compute the layers (docs/cluster.md)")
    ->excludes(workers)->type_name("FILE");
}

} // namespace

void declare_engine(CLI::App& app, run_options& options) {
  declare_threads(app, options);
  app.add_option("--shards", options.shards,
                 "Projection shards of a layer (default: as many as threads, but not more than processors); never changes the result")
    ->check(CLI::Range(1, 1024))->type_name("N");
  app.add_option("--replicas", options.replicas,
                 "Copies of the model's actors that compute side by side, for machines with many processors; they share the weights; "
                 "never changes the result")
    ->check(CLI::Range(1, 256))->capture_default_str()->type_name("N");
  app.add_option("--chunk", options.chunk,
                 "Most tokens of one prompt in a step (default: 512); never changes the result")
    ->check(CLI::Range(1u, 1u << 20))->type_name("N");
  app.add_option("--parallel", options.parallel,
                 "Most requests that run at once (default: 256), the others wait; never changes the result")
    ->check(CLI::Range(1u, 1u << 16))->type_name("N");
  const std::map<std::string, cache_type> types{{"f32", cache_type::f32}, {"f16", cache_type::f16}};
  app.add_option_function<cache_type>("--cache-type", [&options](const cache_type& type) { options.cached = type; },
                                      "What key/value caches keep: f32, or f16, which takes half the memory and changes logits a little "
                                      "(default: f16 where weights have 16 bits or fewer)")
    ->transform(CLI::CheckedTransformer(types).description(""))->type_name("f32|f16");
  app.add_option("--cache-memory", options.cache_memory,
                 "Most memory of key/value caches, as 2GB or 512MB (default: 16 sequences of full length, and at most a quarter of the "
                 "machine's); never changes the result")
    ->transform(CLI::AsSizeValue(false))->type_name("SIZE");
  app.add_flag("--int8", options.as_q8_0,
               "Make matrices int8 (Q8_0) as they are loaded, where they are float32, float16 or bfloat16: less memory, faster, and "
               "results that change a little");
  app.add_option("--check", options.checks,
                 "Check for corrupt bits: in int8 products, in packed weights (continuously), in key/value caches; may be "
                 "repeated. Never changes the result")
    ->delimiter(',')->allow_extra_args(false)->check(CLI::IsMember({"products", "weights", "caches"}))->type_name("WHAT");
  declare_workers(app, options);
}

void declare_quiet(CLI::App& app, run_options& options) {
  app.add_flag("-q,--quiet", options.quiet, "No progress, no summary; errors only");
}

void declare_sampling(CLI::App& app, sampling_arguments& arguments, CLI::Option* needed) {
  sampling_options& chosen = arguments.chosen;
  const auto add = [&](const char* name, auto& value, const char* help) {
    auto* option = app.add_option(name, value, help)->group("Sampling");
    if (needed != nullptr) option->needs(needed);
    return option;
  };
  const auto number = [&](const char* name, auto& value, const char* help) {
    add(name, value, help)->capture_default_str()->type_name("X");
  };
  number("-T,--temperature", chosen.temperature, "Randomness; 0: always the likeliest token");
  number("--top-k", chosen.top_k, "Keep the k likeliest tokens; 0: all");
  number("--top-p", chosen.top_p, "Keep the smallest set of tokens this likely together; 1: all");
  number("--min-p", chosen.min_p, "Drop tokens less likely than this share of the likeliest; 0: none");
  number("--repetition-penalty", chosen.repetition_penalty, "Divide the logits of recent tokens; 1: off");
  number("--presence-penalty", chosen.presence_penalty, "Subtract from the logits of recent tokens");
  number("--frequency-penalty", chosen.frequency_penalty, "Subtract for each recent occurrence of a token");
  number("--penalty-window", chosen.penalty_window, "How many tokens are recent; 0: all");
  number("-s,--seed", chosen.seed, "Same seed, same text, on any number of threads");
  add("--logit-bias", arguments.logit_bias, "Add VALUE to a token's logit; -inf forbids it; may be repeated")
    ->allow_extra_args(false)->type_name("ID=VALUE");
}

void check(sampling_arguments& arguments) {
  for (const std::string& bias : arguments.logit_bias) arguments.chosen.logit_bias.push_back(parse_bias(bias, "--logit-bias"));
  const std::string reason = invalid(arguments.chosen, std::numeric_limits<uint32_t>::max());
  if (!reason.empty()) throw usage_error(reason);
}

void declare_examples(CLI::App& app, std::string_view examples) {
  app.footer("\nExamples:\n" + std::string(examples));
}

std::vector<uint32_t> parse_ids(std::string_view text, std::string_view option) {
  std::vector<uint32_t> ids;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    uint32_t id = 0;
    const auto [after, problem] = std::from_chars(at, end, id);
    if (problem != std::errc{}) break;
    ids.push_back(id);
    at = after;
    // One comma or any number of spaces between two ids.
    while (at != end && *at == ' ') ++at;
    if (at != end && *at == ',' && at + 1 != end) ++at;
    while (at != end && *at == ' ') ++at;
  }
  if (at != end || ids.empty()) {
    throw usage_error(std::string(option) + ": \"" + std::string(text) + "\" is not a list of token ids like 1,403,407");
  }
  return ids;
}

std::pair<uint32_t, float> parse_bias(const std::string& text, std::string_view option) {
  const size_t equals = text.find('=');
  const auto fail = [&] {
    throw usage_error(std::string(option) + ": \"" + text + "\" is not ID=VALUE like 13=-1.5 or 13=-inf");
  };
  if (equals == std::string::npos || equals + 1 == text.size()) fail();
  uint32_t id = 0;
  const char* const id_end = text.data() + equals;
  const auto [after, problem] = std::from_chars(text.data(), id_end, id);
  if (problem != std::errc{} || after != id_end) fail();
  char* value_end = nullptr;
  const float value = std::strtof(text.c_str() + equals + 1, &value_end);
  if (*value_end != '\0' || std::isnan(value) || value == INFINITY) fail();
  return {id, value};
}

} // namespace troupe
