// troupe demo: three stories at once while an attention head, a layer and a supervisor are killed; and the proof that nobody could tell
// from the texts.
#include "actors/faults/plan.hpp"
#include "apps/troupe/chaos/chaos_run.hpp"
#include "apps/troupe/chaos/chaos_verdict.hpp"
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/model_command.hpp"
#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/session.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "apps/troupe/demo/demo_plan.hpp"
#include "apps/troupe/demo/demo_screen.hpp"
#include "model/error.hpp"
#include "model/tokenizer/make_tokenizer.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <unistd.h>

namespace troupe {
namespace {

using steady = std::chrono::steady_clock;

struct demo_options {
  run_options run;
  std::vector<std::string> prompts = {"Once upon a time", "This is the story of", "There was once"};
  uint32_t tokens_max = 400;
  float temperature = 0.8f;
  uint64_t seed = 1;
  double pace_ms = 40;
};

constexpr std::chrono::seconds silence_max{60};

constexpr const char* examples =
  R"(  troupe demo -m storyteller.gguf
  troupe demo -m storyteller.gguf --seed 7 --pace 0
  troupe demo -m model.gguf -p "The sea" -p "Dear friend," --max-tokens 200)";

void declare_options(CLI::App& app, demo_options& options) {
  declare_model(app, options.run);
  app.add_option("-p,--prompt", options.prompts, "Beginning of a story; one option for each")
    ->allow_extra_args(false)->type_name("TEXT")->capture_default_str();
  app.add_option("-n,--max-tokens", options.tokens_max, "Most tokens of a story")
    ->check(CLI::Range(1, 1 << 20))->type_name("N")->capture_default_str();
  app.add_option("-T,--temperature", options.temperature, "Randomness; 0: always the likeliest token")
    ->check(CLI::Range(0.0, 10.0))->type_name("X")->capture_default_str();
  app.add_option("-s,--seed", options.seed, "Other stories; the same seed gives the same ones")->type_name("N")->capture_default_str();
  app.add_option("--pace", options.pace_ms, "Milliseconds by which each step is slowed down, for reading along; 0: full speed")
    ->check(CLI::Range(0.0, 10000.0))->type_name("MS")->capture_default_str();
  declare_engine(app, options.run);
  declare_quiet(app, options.run);
  declare_examples(app, examples);
}

std::vector<chaos_request> make_requests(const demo_options& options, const model_file& model) {
  if (model.words.kind == tokenizer_kind::none) throw input_error(options.run.model + ": has no tokenizer, so it cannot tell stories");
  const auto words = make_tokenizer(model.words);
  std::vector<chaos_request> all;
  for (const auto& prompt : options.prompts) {
    chaos_request one{prompt, {}};
    one.request.prompt = words->encode(prompt);
    const auto room = model.spec.context_length - std::min<uint64_t>(model.spec.context_length, one.request.prompt.size());
    one.request.tokens_max = uint32_t(std::min<uint64_t>(options.tokens_max, room));
    one.request.sampling.temperature = options.temperature;
    one.request.sampling.seed = options.seed + all.size();
    all.push_back(std::move(one));
  }
  return all;
}

std::vector<std::string> texts_of(const std::vector<chaos_request>& requests, const run_record& run) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < requests.size(); ++i) texts.push_back(requests[i].prompt + run.requests[i].text);
  return texts;
}

std::string introduction(const demo_options& options, const model_file& model, const engine& on) {
  const auto actors = on.actors();
  const auto heads = std::ranges::count_if(actors, [](const auto& one) { return one.path.find("/head/") != std::string::npos; });
  std::string text = model.path.filename().string() + " runs as " + std::to_string(actors.size()) + " actors, among them " +
                     std::to_string(model.spec.layers.size()) + " layers and " + std::to_string(heads) + " attention heads, on " +
                     std::to_string(on.options().threads) + " threads. They tell " + std::to_string(options.prompts.size()) +
                     " stories at once";
  if (options.pace_ms > 0) text += ", slowed down for reading along";
  return text + ".\nMeanwhile an attention head, a layer and a supervisor (with it all actors below it) are killed.\n\n";
}

/// The run with the kills, shown as it goes on.
run_record run_disturbed(const demo_options& options, const std::vector<chaos_request>& requests,
                         const std::shared_ptr<const model_file>& model) {
  const auto plan = std::make_shared<v1::FaultPlan>(demo_plan(uint32_t(model->spec.layers.size()), options.pace_ms));
  const auto on = start_engine(model, options.run, plan);
  print(introduction(options, *model, *on));
  demo_screen screen(requests.size(), size_of_terminal(STDOUT_FILENO));
  steady::time_point shown{};
  const auto run = run_requests(*on, requests, silence_max, [&](const run_record& so_far) {
    if (steady::now() - shown < std::chrono::milliseconds(40)) return true;
    shown = steady::now();
    screen.show(texts_of(requests, so_far), on->fault_log());
    return true;
  });
  screen.finish(texts_of(requests, run), run.log);
  return run;
}

/// Compares with the same requests on an engine in which nothing goes wrong.
int prove(const demo_options& options, const std::vector<chaos_request>& requests, const std::shared_ptr<const model_file>& model,
          const run_record& disturbed) {
  const auto on = start_engine(model, options.run);
  const auto undisturbed = run_requests(*on, requests, silence_max, [](const run_record&) { return true; });
  if (undisturbed.signal != 0) return 128 + undisturbed.signal;
  std::string out = "\nThe same requests once more, with no fault and at full speed (" +
                    std::to_string(std::max(1, int(undisturbed.wall_ms + 0.5))) + " ms):\n";
  bool all_equal = true;
  for (size_t i = 0; i < requests.size(); ++i) {
    const auto verdict = judge(undisturbed.requests[i], disturbed.requests[i]);
    all_equal = all_equal && verdict.what == request_verdict::identical;
    out += "  story " + std::to_string(i + 1) + ": " + std::to_string(undisturbed.requests[i].tokens.size()) + " tokens, " +
           std::to_string(undisturbed.requests[i].text.size()) + " bytes: " + to_string(verdict) + "\n";
  }
  const auto kills = std::ranges::count_if(disturbed.log.injections(), is_kill);
  out += std::to_string(kills) + " actors were killed, " + std::to_string(disturbed.log.restarts()) +
         " were started again (those below them too). " +
         (all_equal ? "Every story is the same, byte for byte.\n" : "THE STORIES DIFFER: this is a bug in troupe.\n");
  print(out);
  return all_equal ? exit_ok : exit_failed;
}

int run_demo(const demo_options& options) {
  const auto model = open_model(options.run);
  require_command(*model, "generate");
  const auto requests = make_requests(options, *model);
  const auto disturbed = run_disturbed(options, requests, model);
  if (disturbed.signal != 0) return 128 + disturbed.signal;
  return prove(options, requests, model, disturbed);
}

} // namespace

command_run declare_demo(CLI::App& app) {
  const auto options = std::make_shared<demo_options>();
  declare_options(app, *options);
  return [options] { return run_demo(*options); };
}

} // namespace troupe
