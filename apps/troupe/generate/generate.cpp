// troupe generate: prompts in, text out.
#include "apps/troupe/generate/generate.hpp"
#include "apps/troupe/cli/constraint_options.hpp"
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/model_command.hpp"
#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/prompts.hpp"
#include "apps/troupe/cli/session.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "model/error.hpp"
#include "model/utf8.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

namespace troupe {
namespace {

struct generate_options {
  run_options run;
  prompt_options prompts;
  uint32_t tokens_max = 128;
  sampling_arguments sampling;
  constraint_arguments constraint;
  std::vector<std::string> stop_strings;
  bool ignore_end_of_generation = false;
  bool echo = false;
  bool json = false;
};

constexpr const char* examples =
  R"(  troupe generate -m stories260K.gguf "Once upon a time"
  troupe generate -m stories260K.gguf -p "Once upon a time" -p "The dog" --max-tokens 40
  echo "Once upon a time" | troupe generate -m stories260K.gguf --temperature 0 --json
  troupe generate -m stories260K.gguf --prompt-file prompts.txt --lines --json > stories.jsonl
  troupe generate -m model.gguf "A person, as JSON:" --json-schema person.schema.json)";

void declare_options(CLI::App& app, generate_options& options) {
  declare_model(app, options.run);
  declare_prompts(app, options.prompts);
  app.add_option("-n,--max-tokens", options.tokens_max, "Most tokens to generate for each prompt")
    ->check(CLI::Range(1u, 1u << 30))->capture_default_str()->type_name("N");
  app.add_option("--stop", options.stop_strings, "End a text before this string; may be repeated")
    ->allow_extra_args(false)->type_name("TEXT");
  app.add_flag("--ignore-eos", options.ignore_end_of_generation, "Go on where the model would end the text");
  declare_sampling(app, options.sampling);
  declare_constraint(app, options.constraint);
  auto* json = app.add_flag("--json", options.json, "One JSON object for each prompt, a line each, in order");
  app.add_flag("--echo", options.echo, "Print the prompt before its text")->excludes(json);
  declare_engine(app, options.run);
  declare_quiet(app, options.run);
  declare_examples(app, examples);
}

/// Everything that can be refused before a file is touched.
void check(generate_options& options) {
  check(options.prompts);
  for (const std::string& stop : options.stop_strings) {
    if (stop.empty()) throw usage_error("--stop: an empty string would end every text at once");
    if (!is_utf8(stop)) throw usage_error("--stop: not valid UTF-8, so no text can contain it");
  }
  check(options.sampling);
  check(options.constraint);
}

generate_request make_request(const generate_options& options, const generation& one) {
  generate_request request;
  request.prompt = one.prompt_ids;
  request.tokens_max = options.tokens_max;
  request.sampling = options.sampling.chosen;
  request.constraint = options.constraint.chosen;
  request.stop_strings = options.stop_strings;
  request.ignore_end_of_generation = options.ignore_end_of_generation;
  return request;
}

/// Submits prompts as they are needed, and prints what comes of them.
class generation_run {
public:
  /// `parallel`: how many requests run at once.
  generation_run(const generate_options& options, prompt_source& prompts, client& to, uint32_t parallel)
    : options_(options), prompts_(prompts), client_(to), kept_max_(std::max<size_t>(64, 4 * size_t{parallel})),
      printer_(options.json ? generation_format::json : generation_format::text, options.echo, prompts.count(),
               [this](uint64_t number, const generation& one) { report(number, one); }) {}

  /// A prompt that cannot be served fails alone.
  void submit(const prompt& from) {
    generation& one = printer_.add();
    one.started = one.ended = std::chrono::steady_clock::now();
    one.prompt = from.text;
    try {
      one.prompt_ids = from.ids.empty() ? client_.encode(from.text) : from.ids;
      under_way_[client_.submit(make_request(options_, one))] = &one;
    } catch (const input_error& error) {
      one.error = error.what();
      one.finished = true;
      printer_.update();
    }
  }

  void take(const generation_event& event) {
    const auto found = under_way_.find(event.request);
    if (found == under_way_.end()) return;
    apply(*found->second, event);
    if (event.kind == event_kind::finished) under_way_.erase(found);
    printer_.update();
  }

  /// Whether more prompts are wanted: not too many answers are kept, those that run or wait, and those that are complete but come
  /// after one that is not.
  bool has_room() const { return printer_.kept() < kept_max_; }

  int exit_code() const { return good_ ? exit_ok : exit_failed; }

private:
  /// Says on stderr how a prompt ended.
  void report(uint64_t number, const generation& one) {
    const std::string place = prompts_.count() == 1 ? "" : "prompt " + std::to_string(number) + ": ";
    if (is_failure(one.reason)) {
      good_ = false;
      note("generate: " + place + one.error);
    } else if (!options_.run.quiet && !options_.json) {
      note(place + summary(one));
    }
  }

  const generate_options& options_;
  prompt_source& prompts_;
  client& client_;
  size_t kept_max_;
  generation_printer printer_;
  std::map<uint64_t, generation*> under_way_; // By request.
  bool good_ = true;
};

int run_generate(generate_options& options) {
  check(options);
  prompt_source prompts{options.prompts};
  const prompt first = first_prompt(prompts);
  auto model = open_model(options.run);
  require_command(*model, "generate");
  const auto troupe_engine = start_engine(std::move(model), options.run);
  client requests = troupe_engine->connect();
  generation_run run{options, prompts, requests, troupe_engine->options().sequences_max};
  run.submit(first);
  prompt_feed feed{prompts, [&](const prompt& one) { run.submit(one); }, [&] { return run.has_room(); }};
  const int signal = take_events(requests, [&](const generation_event& event) { run.take(event); },
                                 [&] { return feed.feed(requests.pending() == 0); });
  feed.check();
  return signal != 0 ? 128 + signal : run.exit_code();
}

} // namespace

command_run declare_generate(CLI::App& app) {
  const auto options = std::make_shared<generate_options>();
  declare_options(app, *options);
  return [options] { return run_generate(*options); };
}

} // namespace troupe
