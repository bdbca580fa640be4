// troupe chaos: the same requests twice, or the same training run, once undisturbed and once under a fault plan. Does all finish with
// the same bytes, and how long did it take the troupe to recover?
#include "actors/faults/plan.hpp"
#include "apps/troupe/chaos/chaos_load.hpp"
#include "apps/troupe/chaos/chaos_random.hpp"
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "model/error.hpp"
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
  request_load_options requests;
  training_load_options training;
  run_options run;
  std::string plan, junit, html, save_plan;
  std::optional<uint64_t> random_seed, seed;
  std::optional<uint32_t> silence_s;
  uint32_t faults = 10;
  bool json = false;
};

/// The user pressed Ctrl-C.
struct interrupted {
  int signal;
};

constexpr const char* examples =
  R"(  troupe chaos -m model.gguf --plan kill.json
  troupe chaos -m model.gguf --plan mixed.json --clients 8 --html report.html --junit report.xml
  troupe chaos -m model.gguf --random-seed 7 --faults 20 --save-plan seed7.json --json
  troupe chaos --train storyteller.json --plan kill.json --steps 10
  troupe chaos --train storyteller.json --random-seed 7 --html report.html)";

void declare_options(CLI::App& app, chaos_options& options) {
  auto* model = app.add_option("-m,--model", options.run.model, "Model: a GGUF file, or a folder as Hugging Face publishes models")
    ->type_name("PATH");
  auto* train = app.add_option("--train", options.training.config,
                               "In place of a model: train what this configuration says (see: troupe train --help)")
    ->type_name("CONFIG.json")->excludes(model);
  app.add_option("--steps", options.training.steps, "Steps to train at most, with --train")
    ->check(CLI::Range(1, 1'000'000))->type_name("N")->capture_default_str()->needs(train);
  auto* plan = app.add_option("--plan", options.plan, "Fault plan (JSON); docs/faults.md describes it")->type_name("FILE");
  auto* random = app.add_option("--random-seed", options.random_seed, "Draw a plan from this seed")->type_name("N")->excludes(plan);
  app.add_option("--faults", options.faults, "Faults of a drawn plan")
    ->check(CLI::Range(1, 1000))->type_name("N")->capture_default_str()->needs(random);
  app.add_option("--save-plan", options.save_plan, "Write the drawn plan to a file")->type_name("FILE")->needs(random);
  app.add_option("--seed", options.seed, "Replaces the plan's own seed")->type_name("N")->needs(plan);
  app.add_option("--prompts", options.requests.prompts, "Prompts, one a line (default: a few made-up ones)")
    ->type_name("FILE")->excludes(train);
  app.add_option("--clients", options.requests.clients, "Requests at once (more if there are more prompts)")
    ->check(CLI::Range(1, 4096))->type_name("N")->capture_default_str()->excludes(train);
  app.add_option("-n,--max-tokens", options.requests.tokens_max, "Tokens to generate for each")
    ->check(CLI::Range(1, 1 << 20))->type_name("N")->capture_default_str()->excludes(train);
  app.add_option("--silence", options.silence_s, "Give up when nothing comes for so many seconds (default: 60; with --train 180)")
    ->check(CLI::Range(1, 3600))->type_name("S");
  app.add_flag("--json", options.json, "Print one JSON object");
  app.add_option("--junit", options.junit, "Also write a JUnit XML report")->type_name("FILE");
  app.add_option("--html", options.html, "Also write a report as one HTML page, with a picture of the run")->type_name("FILE");
  declare_engine(app, options.run);
  declare_quiet(app, options.run);
  declare_examples(app, examples);
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

  void show(double share, const std::function<v1::FaultLog()>& log, bool has_plan) {
    const auto now = std::chrono::steady_clock::now();
    if (!has_plan) return bar_.advance(share);
    if (!enabled_ || now - shown_ < std::chrono::milliseconds(200)) return;
    shown_ = now;
    const auto text = injections_so_far(log());
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

/// Whether the probes hold that are to hold all the time.
bool all_hold(const v1::FaultPlan& plan, const run_record& undisturbed, const run_record& so_far,
              const std::function<v1::FaultLog()>& log) {
  const auto& probes = plan.steady_state().probes();
  const bool any = std::any_of(probes.begin(), probes.end(), [](const auto& one) { return one.continuous(); });
  if (!any) return true;
  auto with_log = so_far; // Only where it is asked for: it holds the tokens of all requests.
  with_log.log = log();
  return std::all_of(probes.begin(), probes.end(), [&](const auto& probe) {
    return !probe.continuous() || judge(probe, undisturbed, with_log, true).holds;
  });
}

/// Under the plan, or undisturbed where that is null.
run_record run_with_bar(const chaos_load& load, const chaos_options& options, std::shared_ptr<const v1::FaultPlan> plan,
                        const run_record& undisturbed, const std::function<void(std::vector<std::string>)>& started) {
  live_progress progress{plan ? "disturbed" : "undisturbed", !options.run.quiet};
  chaos_watch watch{started, [&](const run_record& so_far, double share, const std::function<v1::FaultLog()>& log) {
    progress.show(share, log, plan != nullptr);
    return !plan || all_hold(*plan, undisturbed, so_far, log);
  }};
  auto record = load.run(plan, watch);
  if (record.signal != 0) throw interrupted{record.signal};
  return record;
}

void check_before(const v1::FaultPlan& plan, const run_record& undisturbed) {
  for (const auto& probe : plan.steady_state().probes())
    if (const auto verdict = judge(probe, undisturbed, undisturbed, false); probe.before() && !verdict.holds)
      throw run_error("\"" + verdict.name + "\" does not even hold undisturbed: " + verdict.why);
  for (const auto& one : undisturbed.requests)
    if (!one.finished || is_failure(one.reason)) throw run_error("it failed undisturbed: " + one.error);
}

std::unique_ptr<chaos_load> make_load(chaos_options options) {
  options.requests.run = options.training.run = options.run;
  if (options.silence_s) options.requests.silence = options.training.silence = std::chrono::seconds(*options.silence_s);
  if (options.training.config.empty()) return make_request_load(options.requests);
  if (options.run.chunk > 0 || !options.run.checks.empty() || options.run.cached || options.run.cache_memory > 0)
    throw usage_error("--chunk, --cache-type, --cache-memory and --check are for serving: a training run has no caches and no packed "
                      "weights");
  auto load = make_training_load(options.training);
  if (!load) throw interrupted{interrupt_guard::signal()};
  return load;
}

int run_chaos(const chaos_options& options) {
  if (options.plan.empty() && !options.random_seed) throw usage_error("what is to go wrong? Give --plan or --random-seed");
  if (options.run.model.empty() && options.training.config.empty()) throw usage_error("what is to run? Give --model or --train");
  chaos_result result;
  if (!options.plan.empty()) result.plan = read_fault_plan(options.plan);
  if (options.seed) result.plan.set_seed(*options.seed);
  if (!options.training.config.empty()) check_for_training(result.plan);
  const auto load = make_load(options);
  load->describe(result);

  std::vector<std::string> paths;
  result.undisturbed = run_with_bar(*load, options, nullptr, {}, [&](std::vector<std::string> all) {
    paths = std::move(all);
    if (!options.plan.empty()) check_reachable(result.plan, paths);
  });
  if (options.random_seed) result.plan = random_plan(*options.random_seed, options.faults, paths, result.undisturbed.wall_ms);
  if (!options.save_plan.empty()) write_file(options.save_plan, to_json(result.plan));
  check_before(result.plan, result.undisturbed);

  const auto plan = std::make_shared<const v1::FaultPlan>(result.plan);
  result.disturbed = run_with_bar(*load, options, plan, result.undisturbed, [](const auto&) {});
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
