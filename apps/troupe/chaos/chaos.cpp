// troupe chaos: the same requests twice, once undisturbed and once under a fault plan. Do all finish with the same bytes, and
// how long did it take the troupe to recover?
#include "actors/faults/plan.hpp"
#include "apps/troupe/chaos/chaos_random.hpp"
#include "apps/troupe/chaos/chaos_report.hpp"
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/prompts.hpp"
#include "apps/troupe/cli/session.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "model/error.hpp"
#include "model/tokenizer/make_tokenizer.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <unistd.h>

namespace troupe {
namespace {

struct chaos_options {
  run_options run;
  std::string plan, prompts, junit, html, save_plan;
  std::optional<uint64_t> random_seed, seed;
  uint32_t faults = 10;
  uint32_t clients = 8;
  uint32_t tokens_max = 64;
  uint32_t silence_s = 60;
  bool json = false;
};

/// The user pressed Ctrl-C.
struct interrupted {
  int signal;
};

constexpr const char* examples =
  R"(  troupe chaos -m model.gguf --plan kill.json
  troupe chaos -m model.gguf --plan mixed.json --clients 8 --html report.html --junit report.xml
  troupe chaos -m model.gguf --random-seed 7 --faults 20 --save-plan seed7.json --json)";

void declare_options(CLI::App& app, chaos_options& options) {
  declare_model(app, options.run);
  auto* plan = app.add_option("--plan", options.plan, "Fault plan (JSON); docs/faults.md describes it")->type_name("FILE");
  auto* random = app.add_option("--random-seed", options.random_seed, "Draw a plan from this seed")->type_name("N")->excludes(plan);
  app.add_option("--faults", options.faults, "Faults of a drawn plan")
    ->check(CLI::Range(1, 1000))->type_name("N")->capture_default_str()->needs(random);
  app.add_option("--save-plan", options.save_plan, "Write the drawn plan to a file")->type_name("FILE")->needs(random);
  app.add_option("--seed", options.seed, "Replaces the plan's own seed")->type_name("N")->needs(plan);
  app.add_option("--prompts", options.prompts, "Prompts, one a line (default: a few made-up ones)")->type_name("FILE");
  app.add_option("--clients", options.clients, "Requests at once (more if there are more prompts)")
    ->check(CLI::Range(1, 4096))->type_name("N")->capture_default_str();
  app.add_option("-n,--max-tokens", options.tokens_max, "Tokens to generate for each")
    ->check(CLI::Range(1, 1 << 20))->type_name("N")->capture_default_str();
  app.add_option("--silence", options.silence_s, "Give up when nothing comes for so many seconds")
    ->check(CLI::Range(1, 3600))->type_name("S")->capture_default_str();
  app.add_flag("--json", options.json, "Print one JSON object");
  app.add_option("--junit", options.junit, "Also write a JUnit XML report")->type_name("FILE");
  app.add_option("--html", options.html, "Also write a report as one HTML page, with a picture of the run")->type_name("FILE");
  declare_engine(app, options.run);
  declare_quiet(app, options.run);
  declare_examples(app, examples);
}

std::vector<std::string> read_lines(const chaos_options& options) {
  if (options.prompts.empty())
    return {"Once upon a time", "The dog", "There was a little girl named", "One day, a boy", "In the garden"};
  prompt_options from;
  from.files = {options.prompts};
  from.lines = true;
  std::vector<std::string> lines;
  for (auto& one : read_prompts(from)) lines.push_back(std::move(one.text));
  return lines;
}

/// Every second request samples, with a seed of its own: equal bytes then mean that the draws are replayed too.
std::vector<chaos_request> make_requests(const chaos_options& options, const model_file& model) {
  const auto words = model.words.kind == tokenizer_kind::none ? nullptr : make_tokenizer(model.words);
  const auto lines = read_lines(options);
  std::vector<chaos_request> all;
  for (size_t i = 0; i < std::max<size_t>(options.clients, options.prompts.empty() ? 0 : lines.size()); ++i) {
    chaos_request one{words ? lines[i % lines.size()] : "token ids", {}};
    if (words) one.request.prompt = words->encode(one.prompt);
    else for (uint32_t k = 0; k < 8; ++k) one.request.prompt.push_back(uint32_t((i * 7 + k * 3) % model.spec.vocabulary));
    one.request.tokens_max = options.tokens_max;
    one.request.ignore_end_of_generation = true;
    one.request.sampling.temperature = i % 2 == 0 ? 0.0f : 0.9f;
    one.request.sampling.seed = i;
    all.push_back(std::move(one));
  }
  return all;
}

uint64_t count_tokens(const run_record& run) {
  uint64_t tokens = 0;
  for (const auto& one : run.requests) tokens += one.tokens.size();
  return tokens;
}

void write_file(const std::string& name, const std::string& text) {
  std::ofstream out{name, std::ios::binary};
  if (!out.write(text.data(), std::streamsize(text.size())).flush())
    throw input_error(name + ": cannot be written: " + std::strerror(errno));
}

/// "12 injections, the latest: 5 kill /replica/0/output".
std::string injections_so_far(const v1::FaultLog& log) {
  if (log.injections().empty()) return "nothing injected yet";
  const auto& latest = *log.injections().rbegin();
  const auto* text = log.injections_size() == 1 ? " injection, " : " injections, the latest: ";
  return std::to_string(log.injections_size()) + text + latest.fault() +
         (latest.fault().find(latest.path()) == std::string::npos ? " at " + latest.path() : "");
}

/// While a plan's faults are injected: a bar with the latest injection where there is a terminal, else a line now and then.
class live_progress {
public:
  live_progress(std::string label, bool enabled) : label_(label), enabled_(enabled), bar_(std::move(label), enabled) {}

  void show(double share, const engine& on, bool has_plan) {
    const auto now = std::chrono::steady_clock::now();
    if (!has_plan) return bar_.advance(share);
    if (!enabled_ || now - shown_ < std::chrono::milliseconds(200)) return;
    shown_ = now;
    const auto text = injections_so_far(on.fault_log());
    bar_.advance(share, text);
    if (::isatty(STDERR_FILENO) == 1 || now - noted_ < std::chrono::seconds(5)) return;
    noted_ = now;
    note(label_ + ": " + std::to_string(int(100 * share)) + " %, " + text);
  }

private:
  std::string label_;
  bool enabled_;
  progress_bar bar_;
  std::chrono::steady_clock::time_point shown_ = std::chrono::steady_clock::now(), noted_ = shown_;
};

run_record run_with_bar(engine& on, const chaos_result& result, const chaos_options& options, bool has_plan,
                        const std::function<bool(const run_record&)>& holds) {
  live_progress progress{has_plan ? "disturbed" : "undisturbed", !options.run.quiet};
  const double tokens = double(options.tokens_max) * double(result.requests.size());
  auto record = run_requests(on, result.requests, std::chrono::seconds(options.silence_s), [&](const run_record& so_far) {
    progress.show(double(count_tokens(so_far)) / tokens, on, has_plan);
    return holds(so_far);
  });
  if (record.signal != 0) throw interrupted{record.signal};
  return record;
}

/// Checks the probes that are to hold all the time.
bool all_hold(const v1::FaultPlan& plan, const run_record& undisturbed, run_record so_far, const engine& on) {
  const auto& probes = plan.steady_state().probes();
  const bool any = std::any_of(probes.begin(), probes.end(), [](const auto& one) { return one.continuous(); });
  if (!any) return true;
  so_far.log = on.fault_log();
  return std::all_of(probes.begin(), probes.end(), [&](const auto& probe) {
    return !probe.continuous() || judge(probe, undisturbed, so_far, true).holds;
  });
}

void check_before(const v1::FaultPlan& plan, const run_record& undisturbed) {
  for (const auto& probe : plan.steady_state().probes())
    if (const auto verdict = judge(probe, undisturbed, undisturbed, false); probe.before() && !verdict.holds)
      throw run_error("\"" + verdict.name + "\" does not even hold undisturbed: " + verdict.why);
  for (const auto& one : undisturbed.requests)
    if (!one.finished || one.reason == finish_reason::error) throw run_error("a request failed undisturbed: " + one.error);
}

int run_chaos(const chaos_options& options) {
  if (options.plan.empty() && !options.random_seed) throw usage_error("what is to go wrong? Give --plan or --random-seed");
  chaos_result result;
  if (!options.plan.empty()) result.plan = read_fault_plan(options.plan);
  if (options.seed) result.plan.set_seed(*options.seed);
  const auto model = open_model(options.run.model);
  result.model = model->path.filename().string();
  result.requests = make_requests(options, *model);

  const auto sequences = uint32_t(result.requests.size());
  std::vector<std::string> paths;
  {
    const auto undisturbed_engine = start_engine(model, options.run, sequences);
    for (auto& one : undisturbed_engine->actors()) paths.push_back(std::move(one.path));
    if (!options.plan.empty()) check_reachable(result.plan, paths);
    result.undisturbed = run_with_bar(*undisturbed_engine, result, options, false, [](const run_record&) { return true; });
  }
  std::erase(paths, "/");
  if (options.random_seed) result.plan = random_plan(*options.random_seed, options.faults, paths, result.undisturbed.wall_ms);
  if (!options.save_plan.empty()) write_file(options.save_plan, to_json(result.plan));
  check_before(result.plan, result.undisturbed);

  const auto disturbed_engine = start_engine(model, options.run, sequences, std::make_shared<v1::FaultPlan>(result.plan));
  result.disturbed = run_with_bar(*disturbed_engine, result, options, true, [&](const run_record& so_far) {
    return all_hold(result.plan, result.undisturbed, so_far, *disturbed_engine);
  });
  result.verdict = judge(result.plan, result.undisturbed, result.disturbed);
  if (!options.junit.empty()) write_file(options.junit, to_junit(result));
  if (!options.html.empty()) write_file(options.html, to_html(result));
  print(options.json ? to_json(result).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n" : to_text(result));
  return result.verdict.passed() ? exit_ok : exit_failed;
}

} // namespace

command_run declare_chaos(CLI::App& app) {
  const auto options = std::make_shared<chaos_options>();
  declare_options(app, *options);
  return [options] {
    try {
      return run_chaos(*options);
    } catch (const interrupted& by) {
      return 128 + by.signal;
    }
  };
}

} // namespace troupe
