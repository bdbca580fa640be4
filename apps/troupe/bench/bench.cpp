// troupe bench: how fast prefill and decode are, and where a token's time goes.
//
// Method. Prefill: one request of --prompt-tokens tokens that generates one. Decode: one request of a single prompt token
// that generates --generate-tokens, greedily, end-of-text ignored: one step for each token. Both are timed from submit to
// `finished`, so admission and sampling are in; both are run once unmeasured first, then --repetitions times, alternating.
// Clients: --clients such requests at once, each with a prompt and a text of the given lengths.
// Sequences: for each number of --sequences so many requests at once, with a prompt of --sequence-prompt tokens. What is timed begins
// when all of them have their first token, takes --generate-tokens of each, and ends before any of them has ended (they are cancelled
// then): every step of it is one row of each. Its rate is compared with that of prefill, which computes the same rows but for their logits.
// A model with an encoder reads the prompt as its source, and decodes with --beams. A model that generates nothing only encodes: one
// text of --prompt-tokens, and --clients of them at once; a model of images one image, whose rows count as tokens. A model that listens
// hears a whole window each time, so that decode is a window and --generate-tokens of its text.
// Limits: what the machine can do at best is measured before and after each repetition; the better of both is its limit.
// Compare: in each repetition the other command runs once, after ours; ratios are taken pair by pair.
#include "actors/threads/processors.hpp"
#include "apps/troupe/bench/machine_limits.hpp"
#include "apps/troupe/bench/measurement.hpp"
#include "apps/troupe/bench/peer.hpp"
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/session.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "model/error.hpp"
#include "model/kernels/isa.hpp"
#include "model/sampling/sampler.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace troupe {
namespace {

using json = nlohmann::ordered_json;
using steady = std::chrono::steady_clock;

struct bench_options {
  run_options run;
  uint32_t prompt_tokens = 512;
  uint32_t generate_tokens = 64;
  uint32_t repetitions = 5;
  uint32_t clients = 0; // 0: do not measure concurrency.
  std::vector<uint32_t> sequences; // Numbers of sequences to decode side by side.
  uint32_t sequence_prompt = 16;   // Length of their prompts.
  uint32_t beams = 1;   // Of models with an encoder.
  std::string compare;  // A command; empty: none.
  bool json = false;
};

constexpr const char* examples =
  R"(  troupe bench -m model.gguf --threads 2
  troupe bench -m model.gguf --prompt-tokens 512 --generate-tokens 64 --threads 2 --repetitions 5 --json
  troupe bench -m model.gguf --clients 8 --prompt-tokens 128
  troupe bench -m model.gguf --sequences 1,2,4,8,16,32,64 --prompt-tokens 190
  troupe bench -m opus-mt-en-de --prompt-tokens 30 --generate-tokens 30 --beams 4 --clients 16
  troupe bench -m all-MiniLM-L6-v2 --prompt-tokens 128 --clients 64
  troupe bench -m model.gguf --compare "llama-bench -m model.gguf -p 512 -n 64 -t 2 -r 1 -o json")";

void declare_options(CLI::App& app, bench_options& options) {
  declare_model(app, options.run);
  const auto count = [&](const char* name, uint32_t& value, const char* help) {
    return app.add_option(name, value, help)->check(CLI::Range(1u, 1u << 20))->type_name("N");
  };
  count("--prompt-tokens", options.prompt_tokens, "Length of the prompt, of the source, of the text; not of images")->capture_default_str();
  count("--generate-tokens", options.generate_tokens, "Tokens to generate")->capture_default_str();
  count("--repetitions", options.repetitions, "Measured runs of each kind")->capture_default_str();
  count("--clients", options.clients, "Also measure this many generations (or texts) at once");
  app.add_option("--sequences", options.sequences, "Also decode so many sequences side by side; several numbers: one after the other")
    ->delimiter(',')->allow_extra_args(false)->check(CLI::Range(1u, 1u << 12))->type_name("N,...");
  count("--sequence-prompt", options.sequence_prompt, "Length of the prompt of each of them")->capture_default_str();
  count("--beams", options.beams, "Of a model with an encoder: decode by beam search; 1: greedily")->capture_default_str();
  app.add_option("--compare", options.compare,
                 "Run this command after every repetition and print ratios; it prints llama-bench's JSON, or an object "
                 "with prefill_tokens_per_s and decode_tokens_per_s")
    ->type_name("COMMAND");
  app.add_flag("--json", options.json, "Print one JSON object");
  declare_engine(app, options.run);
  declare_quiet(app, options.run);
  declare_examples(app, examples);
}

/// The user pressed Ctrl-C.
struct interrupted {
  int signal;
};

/// What is being measured, and with what.
struct bench {
  const bench_options& options;
  engine& troupe_engine;
  client& requests;
};

/// Threads that can compute at the same time.
uint32_t threads_at_once(const bench& run) { return std::min(run.troupe_engine.options().threads, usable_processors().count); }

/// A prompt that repeats from run to run, and differs from client to client. Which tokens does not matter for speed.
std::vector<uint32_t> make_prompt(const bench& run, uint32_t length, uint32_t client_index) {
  const uint32_t vocabulary = run.troupe_engine.model().spec.vocabulary;
  std::vector<uint32_t> tokens(length);
  for (uint32_t index = 0; index < length; ++index) {
    tokens[index] = static_cast<uint32_t>(counter_uniform(client_index, index) * vocabulary);
  }
  return tokens;
}

bool generates(const bench& run) { return !run.troupe_engine.model().spec.needs_whole_sequences(); }

/// Those of an image or a sound, or none; they repeat from run to run, and differ from client to client.
std::vector<float> make_features(const model_spec& spec, uint32_t client_index) {
  std::vector<float> features(spec.feature_elements());
  for (size_t i = 0; i < features.size(); ++i) features[i] = float(2 * counter_uniform(client_index, i) - 1);
  return features;
}

/// Of an image or a sound there is one length only.
generate_request make_request(const bench& run, uint32_t prompt_tokens, uint32_t client_index, uint32_t generate_tokens) {
  generate_request request;
  const model_spec& spec = run.troupe_engine.model().spec;
  const bool has_source = spec.encoder.has_value();
  if (spec.feature_elements() > 0) request.features = make_features(spec, client_index);
  else (has_source ? request.source : request.prompt) = make_prompt(run, prompt_tokens, client_index);
  request.tokens_max = generates(run) ? generate_tokens : 0;
  request.want_logits = !generates(run);
  request.sampling.temperature = 0;
  request.ignore_end_of_generation = true;
  if (has_source && run.options.beams > 1) request.beams = beam_options{.beams = run.options.beams};
  return request;
}

/// Serves `count` requests at once from submit to the last `finished`.
void run_once(const bench& run, uint32_t count, uint32_t prompt_tokens, uint32_t generate_tokens, measurement& into) {
  const engine_statistics before = run.troupe_engine.statistics();
  const auto started = steady::now();
  for (uint32_t index = 0; index < count; ++index) {
    run.requests.submit(make_request(run, prompt_tokens, index, generate_tokens));
  }
  const int signal = take_events(run.requests, [](const generation_event& event) {
    if (is_failure(event.reason)) throw run_error("a request failed: " + event.error);
    TROUPE_ASSERT(event.prompt_tokens_cached == 0); // Every prompt is computed, every time.
  });
  if (signal != 0) throw interrupted{signal};
  const auto elapsed = std::chrono::duration<double>(steady::now() - started).count();
  into.add(elapsed, before, run.troupe_engine.statistics());
}

/// Steps that a sequence may decode before all have begun, or while it is found out that all have.
uint64_t steps_before(const bench& run, uint32_t count) {
  const engine_options& with = run.troupe_engine.options();
  return uint64_t{count} * run.options.sequence_prompt / std::max(with.step_rows_max, 1u) + 16;
}

/// Positions that each of `count` sequences may have: of the model, and of what caches hold.
uint64_t positions_of_each(const bench& run, uint32_t count) {
  const model_spec& spec = run.troupe_engine.model().spec;
  const uint64_t memory = run.troupe_engine.options().cache_positions_max / count;
  return std::min<uint64_t>(spec.context_length, memory - std::min<uint64_t>(memory, spec.encoder ? run.options.sequence_prompt : 0));
}

/// Decodes `count` sequences side by side.
void run_sequences(const bench& run, uint32_t count, measurement& into) {
  // Many more tokens than are counted: where steps are short, some sequences are far ahead when the last one begins.
  const uint64_t prompt = run.troupe_engine.model().spec.encoder ? 1 : run.options.sequence_prompt;
  const uint64_t wanted = run.options.generate_tokens + (uint64_t{1} << 16);
  const uint32_t each = uint32_t(std::min(positions_of_each(run, count) - prompt, wanted));
  for (uint32_t index = 0; index < count; ++index)
    run.requests.submit(make_request(run, run.options.sequence_prompt, index, each));
  uint32_t begun = 0;
  uint64_t counted = 0;
  engine_statistics before;
  steady::time_point started;
  const int signal = take_events(run.requests, [&](const generation_event& event) {
    if (is_failure(event.reason)) throw run_error("a request failed: " + event.error);
    const bool is_done = counted == into.tokens_per_run;
    if (event.kind == event_kind::finished && !is_done)
      throw run_error("a sequence of " + std::to_string(count) + " ended before all of them were measured: decode fewer tokens, or fewer "
                      "sequences");
    if (event.kind != event_kind::token || is_done) return;
    if (begun < count) {
      begun += event.index == 0;
      if (begun < count) return;
      before = run.troupe_engine.statistics();
      started = steady::now();
    } else if (++counted == into.tokens_per_run) {
      const auto elapsed = std::chrono::duration<double>(steady::now() - started).count();
      into.add(elapsed, before, run.troupe_engine.statistics());
      run.requests.cancel_all();
    }
  });
  if (signal != 0) throw interrupted{signal};
}

/// Of `--sequences`: one of its numbers.
struct side_by_side {
  uint32_t sequences = 0;
  measurement decode;
};

struct results {
  measurement prefill, decode; // decode: nothing, where nothing is generated.
  std::optional<measurement> clients;
  std::vector<side_by_side> sequences;
  std::vector<peer_rates> peers; // One for each repetition, if there is a command to compare with.
  std::vector<machine_limits> limits; // Before the first repetition, and after each.
};

/// One limit, each time that it was measured.
std::vector<double> limit_samples(const results& all, double machine_limits::*which) {
  std::vector<double> values;
  for (const auto& one : all.limits) values.push_back(one.*which);
  return values;
}

results measure(const bench& run) {
  const bench_options& options = run.options;
  results all;
  all.prefill.tokens_per_run = options.prompt_tokens;
  all.decode.tokens_per_run = options.generate_tokens;
  if (options.clients > 0) {
    all.clients.emplace().tokens_per_run =
      uint64_t{options.clients} * (generates(run) ? options.generate_tokens : options.prompt_tokens);
  }
  for (const uint32_t count : options.sequences) {
    auto& one = all.sequences.emplace_back();
    one.sequences = count;
    one.decode.tokens_per_run = uint64_t{count} * options.generate_tokens;
  }
  progress_bar bar{"measuring", !options.run.quiet};
  const uint32_t threads = threads_at_once(run);
  for (uint32_t repetition = 0; repetition <= options.repetitions; ++repetition) {
    bar.advance(static_cast<double>(repetition) / (options.repetitions + 1));
    measurement unmeasured;
    const bool warm_up = repetition == 0;
    run_once(run, 1, options.prompt_tokens, 1, warm_up ? unmeasured : all.prefill);
    if (generates(run)) run_once(run, 1, 1, options.generate_tokens, warm_up ? unmeasured : all.decode);
    if (all.clients && !warm_up) {
      run_once(run, options.clients, options.prompt_tokens, options.generate_tokens, *all.clients);
    }
    for (auto& one : all.sequences)
      if (!warm_up) run_sequences(run, one.sequences, one.decode);
    if (!options.compare.empty() && !warm_up) all.peers.push_back(run_peer(options.compare));
    all.limits.push_back(measure_limits(threads));
  }
  return all;
}

std::string rounded(double value, int decimals) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

const char* name_of_prefill(const bench& run) { return generates(run) ? "prefill" : "encode"; }

/// One of the two kinds of work.
struct kind_of_work {
  const char* name;
  const measurement results::*ours;
  std::optional<double> peer_rates::*theirs;
  double machine_limits::*limit; // Null: none is known.
  double cost = 0;        // Of a token, in what the limit counts.
  const char* unit = ""; // Of the limit, in 10^9.
};

/// Without limits for a model with an encoder and a decoder: its tokens do not all pass the same weights.
std::vector<kind_of_work> kinds_of(const bench& run) {
  if (run.troupe_engine.model().spec.encoder)
    return {{name_of_prefill(run), &results::prefill, &peer_rates::prefill, nullptr},
            {"decode", &results::decode, &peer_rates::decode, nullptr}};
  const token_cost cost = cost_of_token(run.troupe_engine.model(), run.troupe_engine.weight_bytes());
  const auto arithmetic = cost.is_int8 ? &machine_limits::int8_operations_per_s : &machine_limits::float_operations_per_s;
  std::vector<kind_of_work> kinds{{name_of_prefill(run), &results::prefill, &peer_rates::prefill, arithmetic, cost.operations,
                                   cost.is_int8 ? "int8 Gop/s" : "float Gop/s"}};
  if (generates(run))
    kinds.push_back({"decode", &results::decode, &peer_rates::decode, &machine_limits::read_bytes_per_s, cost.bytes, "GB/s of reading"});
  return kinds;
}

/// Tokens per second that the machine would allow at best, for each repetition.
std::vector<double> limit_rates(const results& all, const kind_of_work& kind) {
  std::vector<double> result;
  for (size_t i = 1; i < all.limits.size(); ++i)
    result.push_back(std::max(all.limits[i - 1].*kind.limit, all.limits[i].*kind.limit) / kind.cost);
  return result;
}

/// a by b, repetition by repetition.
std::vector<double> quotients(std::vector<double> a, const std::vector<double>& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] /= b[i];
  return a;
}

/// What share of the limit was reached.
double share_of_limit(const results& all, const kind_of_work& kind) {
  return median(quotients(rates(all.*kind.ours), limit_rates(all, kind)));
}

/// The peer's rates, one for each repetition; none if it does not always say.
std::vector<double> peer_samples(const results& all, const kind_of_work& kind) {
  std::vector<double> result;
  for (const auto& peer : all.peers)
    if (peer.*kind.theirs) result.push_back(*(peer.*kind.theirs));
  return result.size() == all.peers.size() ? result : std::vector<double>();
}

json comparison(const results& all, const kind_of_work& kind) {
  const auto theirs = peer_samples(all, kind);
  if (theirs.empty()) return nullptr;
  const auto each = quotients(rates(all.*kind.ours), theirs);
  json facts{{"tokens_per_s", median(theirs)},
             {"samples", theirs},
             {"ratio", median(each)},
             {"ratio_spread",
              {{"min", *std::min_element(each.begin(), each.end())}, {"max", *std::max_element(each.begin(), each.end())}}}};
  if (kind.limit != nullptr) facts["ratio_at_limit"] = median(quotients(limit_rates(all, kind), theirs));
  return facts;
}

json limits_to_json(const results& all) {
  const auto reading = limit_samples(all, &machine_limits::read_bytes_per_s);
  json limits = {{"read_bytes_per_s", median(reading)},
                 {"read_samples", reading},
                 {"int8_operations_per_s", median(limit_samples(all, &machine_limits::int8_operations_per_s))},
                 {"float_operations_per_s", median(limit_samples(all, &machine_limits::float_operations_per_s))}};
  const auto round_trips = limit_samples(all, &machine_limits::line_round_trip_ns);
  if (round_trips.front() == 0) return limits; // With one thread or one processor it is not measured.
  limits["line_round_trip_ns"] = median(round_trips);
  limits["line_round_trip_samples"] = round_trips;
  return limits;
}

/// Of `--clients` at once.
double requests_per_s(const bench& run, const measurement& clients) {
  return median(rates(clients)) / static_cast<double>(clients.tokens_per_run) * run.options.clients;
}

/// What a row of a decoding step costs beside one of a prompt: the quotient of their rates.
double share_of_prefill(const results& all, const side_by_side& one) {
  return median(rates(one.decode)) / median(rates(all.prefill));
}

json sequences_to_json(const results& all, uint32_t threads) {
  json each = json::array();
  for (const auto& one : all.sequences) {
    json facts = to_json(one.decode, threads);
    facts["sequences"] = one.sequences;
    facts["of_prefill"] = share_of_prefill(all, one);
    each.push_back(std::move(facts));
  }
  return each;
}

json to_json(const bench& run, const results& all) {
  const bench_options& options = run.options;
  const model_file& model = run.troupe_engine.model();
  const uint32_t threads = threads_at_once(run);
  json result;
  result["model"] = {{"file", model.path.string()}, {"name", model.spec.name},
                     {"architecture", model.spec.architecture}, {"parameters", model.parameters},
                     {"weight_bytes", run.troupe_engine.weight_bytes()}};
  const processor_limit processors = usable_processors();
  result["threads"] = run.troupe_engine.options().threads;
  result["processors"] = {{"count", processors.count}, {"reason", processors.reason}};
  result["shards"] = run.troupe_engine.options().shards;
  result["instruction_set"] = current_isa();
  result["prompt_tokens"] = options.prompt_tokens;
  result["generate_tokens"] = options.generate_tokens;
  result["repetitions"] = options.repetitions;
  if (model.spec.encoder) result["beams"] = options.beams;
  result[name_of_prefill(run)] = to_json(all.prefill, threads);
  if (generates(run)) result["decode"] = to_json(all.decode, threads);
  if (all.clients) {
    result["concurrent"] = to_json(*all.clients, threads);
    result["concurrent"]["clients"] = options.clients;
    result["concurrent"]["requests_per_s"] = requests_per_s(run, *all.clients);
  }
  if (!all.sequences.empty()) {
    result["sequence_prompt"] = options.sequence_prompt;
    result["sequences"] = sequences_to_json(all, threads);
  }
  result["limits"] = limits_to_json(all);
  for (const auto& kind : kinds_of(run)) {
    if (kind.limit != nullptr) {
      result[kind.name]["of_limit"] = share_of_limit(all, kind);
      result[kind.name]["limit_samples"] = limit_rates(all, kind);
    }
    if (!all.peers.empty()) result["compare"][kind.name] = comparison(all, kind);
  }
  if (!all.peers.empty()) result["compare"]["command"] = options.compare;
  return result;
}

std::string limit_line(const results& all, const kind_of_work& kind) {
  if (kind.limit == nullptr) return {};
  return std::string(kind.name) + " reaches " + rounded(100 * share_of_limit(all, kind), 1) + " % of the machine's " +
         rounded(median(limit_samples(all, kind.limit)) / 1e9, 1) + " " + kind.unit + "\n";
}

std::string round_trip_line(const results& all) {
  const auto trips = limit_samples(all, &machine_limits::line_round_trip_ns);
  if (trips.front() == 0) return {}; // With one thread or one processor it is not measured.
  const auto [least, most] = std::minmax_element(trips.begin(), trips.end());
  return "a cache line takes " + rounded(median(trips), 0) + " ns from processor to processor and back (" +
         rounded(*least, 0) + " .. " + rounded(*most, 0) + ")\n";
}

std::string comparison_line(const results& all, const kind_of_work& kind) {
  const json facts = comparison(all, kind);
  if (facts.is_null()) return {};
  std::string line = std::string(kind.name) + ": " + rounded(facts["ratio"], 2) + " times the other command's "
                     + rounded(facts["tokens_per_s"], 1) + " tokens/s (" + rounded(facts["ratio_spread"]["min"], 2) + " .. "
                     + rounded(facts["ratio_spread"]["max"], 2) + ")";
  if (kind.limit != nullptr) line += "; at the machine's limit it would be " + rounded(facts["ratio_at_limit"], 2);
  return line + "\n";
}

std::string to_text(const bench& run, const results& all) {
  const bench_options& options = run.options;
  const uint32_t threads = threads_at_once(run);
  const processor_limit processors = usable_processors();
  std::string out = run.troupe_engine.model().path.filename().string() + ", "
                    + std::to_string(run.troupe_engine.options().threads) + " threads, "
                    + current_isa() + ", median of " + std::to_string(options.repetitions) + " runs\n"
                    + "usable processors: " + std::to_string(processors.count) + " (" + processors.reason + ")\n";
  out += table_head();
  out += table_line(name_of_prefill(run) + (" " + std::to_string(options.prompt_tokens)), all.prefill, threads);
  if (generates(run)) out += table_line("decode " + std::to_string(options.generate_tokens), all.decode, threads);
  if (all.clients) {
    out += table_line("clients " + std::to_string(options.clients), *all.clients, threads);
    out += "clients: " + rounded(requests_per_s(run, *all.clients), 1) + (generates(run) ? " requests/s\n" : " texts/s\n");
  }
  for (const auto& one : all.sequences) out += table_line("sequences " + std::to_string(one.sequences), one.decode, threads);
  for (const auto& one : all.sequences)
    out += std::to_string(one.sequences) + " sequences decode " + rounded(100 * share_of_prefill(all, one), 0) + " % of prefill's rows\n";
  for (const auto& kind : kinds_of(run)) out += limit_line(all, kind);
  out += round_trip_line(all);
  for (const auto& kind : kinds_of(run)) out += comparison_line(all, kind);
  return out;
}

void check_lengths(const bench_options& options, const model_file& model) {
  const uint32_t context = model.spec.context_length;
  if (options.beams > 1 && !model.spec.encoder) throw usage_error("--beams: this model has no encoder");
  if (!options.sequences.empty() && model.spec.needs_whole_sequences()) throw usage_error("--sequences: this model generates nothing");
  if (!options.sequences.empty() && options.beams > 1) throw usage_error("--sequences: not with --beams");
  if (model.spec.encoder || model.spec.needs_whole_sequences()) {
    const uint32_t room = model.spec.encoder ? model.spec.encoder->context_length : context;
    if (options.prompt_tokens > room)
      throw usage_error("--prompt-tokens " + std::to_string(options.prompt_tokens) + ": the model takes " + std::to_string(room));
    if (model.spec.encoder && options.generate_tokens + uint64_t{1} > context)
      throw usage_error("--generate-tokens " + std::to_string(options.generate_tokens) + ": the decoder has " + std::to_string(context) +
                        " positions, and one is of the token that it begins with");
    return;
  }
  const uint64_t longest = options.clients > 0 ? uint64_t{options.prompt_tokens} + options.generate_tokens
                                               : std::max(options.prompt_tokens, options.generate_tokens) + uint64_t{1};
  if (longest <= context) return;
  throw usage_error("--prompt-tokens " + std::to_string(options.prompt_tokens) + " and --generate-tokens "
                    + std::to_string(options.generate_tokens) + " need " + std::to_string(longest)
                    + " positions, the model has " + std::to_string(context));
}

/// All sequences of a number are to decode at the same time until the last has begun, and beyond.
void check_sequences(const bench& run) {
  const bool has_source = run.troupe_engine.model().spec.encoder.has_value();
  for (const uint32_t count : run.options.sequences) {
    const uint64_t length = uint64_t{has_source ? 1 : run.options.sequence_prompt} + run.options.generate_tokens + steps_before(run, count);
    const uint64_t room = positions_of_each(run, count);
    if (length > room)
      throw usage_error("--sequences " + std::to_string(count) + ": each would need " + std::to_string(length) + " positions, there are " +
                        std::to_string(room) + ", by the model and the memory of caches");
  }
}

int run_bench(bench_options options) {
  auto model = open_model(options.run);
  if (const auto& image = model->spec.input().image) options.prompt_tokens = image->rows();
  if (const auto& audio = model->spec.input().audio) options.prompt_tokens = options.sequence_prompt = audio->rows();
  check_lengths(options, *model);
  auto with = options.run;
  with.prefix_reuse = false; // The same prompts come again and again.
  const uint32_t most = options.sequences.empty() ? 0 : std::ranges::max(options.sequences);
  if (with.parallel == 0) with.parallel = std::max({256u, options.clients, most}); // All of them at once.
  const auto troupe_engine = start_engine(std::move(model), with);
  client requests = troupe_engine->connect();
  const bench run{options, *troupe_engine, requests};
  check_sequences(run);
  try {
    const results all = measure(run);
    print(options.json ? to_json(run, all).dump(2, ' ', false, json::error_handler_t::replace) + "\n" : to_text(run, all));
  } catch (const interrupted& by) {
    return 128 + by.signal;
  }
  return exit_ok;
}

} // namespace

command_run declare_bench(CLI::App& app) {
  const auto options = std::make_shared<bench_options>();
  declare_options(app, *options);
  return [options] { return run_bench(*options); };
}

} // namespace troupe
