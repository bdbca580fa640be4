// troupe simulate: the real actors in simulation with random faults, drawn from each seed; a seed that fails is replayed to the
// message.
#include "actors/faults/plan.hpp"
#include "actors/threads/processors.hpp"
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "apps/troupe/simulate/seed_run.hpp"
#include "model/model_file.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

namespace troupe {
namespace {

using json = nlohmann::ordered_json;

struct simulate_options {
  run_options run; // model: empty means the built-in tiny one.
  std::string seeds = "1..1000", plan;
  bool train = false;
  std::string kind; // Of the built-in model; empty: all.
  uint32_t requests = 3, workers = 0;
  uint32_t updates = 4; // With `train`, in place of requests.
  uint32_t jobs = usable_processors().count;
  bool all = false, trace = false, as_json = false;
};

constexpr const char* examples =
  R"(  troupe simulate --seeds 1..10000
  troupe simulate -m model.gguf --seeds 1..500 --requests 5 --jobs 8 --json
  troupe simulate --seeds 4711 --trace
  troupe simulate --kind encoder-decoder --seeds 1..2000
  troupe simulate --replicas 2 --requests 8 --seeds 1..2000
  troupe simulate --workers 2 --seeds 1..2000
  troupe simulate --plan plan.json --seeds 1..2000
  troupe simulate --train --seeds 1..10000
  troupe simulate --train --updates 8 --seeds 4711 --trace

Each seed draws its own order of events, its own requests and its own fault schedule: which faults are injected
(messages lost, repeated, overtaken, late or corrupted; actors that throw, are killed, hang or stall; jumps of the
clock), how often and where. While faults are injected nothing wrong may come out; afterwards everything must finish,
and the troupe must be as it was.
With --train the load is a training run: weights, moments and every step's figures must be those of the sequential
reference, bit for bit.
The exit code is 0 when every seed passed, 1 when one did not, or when over 1000 or more seeds some kind of fault was
never injected. With --plan the faults of that plan are injected instead; the seed takes the place of the plan's. Then
it is also 1 when a fault that is not optional was never injected.)";

/// A run of fewer seeds may miss a kind of fault by chance.
constexpr uint64_t seeds_for_all_kinds = 1000;
/// Lines of the trace shown of a seed that failed.
constexpr size_t lines_shown = 60;

constexpr const char* kinds[] = {"decoder", "encoder-decoder", "encoder", "images", "audio"}; // Of built-in models, as testing::tiny_kind.

void declare_options(CLI::App& app, simulate_options& options) {
  app.add_option("-m,--model", options.run.model,
                 "Model: a GGUF file or a Hugging Face folder (default: built-in tiny ones with random weights)")
    ->type_name("PATH");
  app.add_option("-k,--kind", options.kind,
                 "Only the built-in model of this kind: decoder, encoder-decoder, encoder, images or audio (default: seeds take turns "
                 "among the first three; a decoder with --plan)")
    ->check(CLI::IsMember(std::vector<std::string>(std::begin(kinds), std::end(kinds))))->type_name("KIND");
  app.add_option("-s,--seeds", options.seeds, "Which seeds: A..B, or one alone (default: 1..1000)")->type_name("A..B");
  app.add_option("--plan", options.plan, "Fault plan (JSON) in place of drawn fault schedules; docs/faults.md describes it")
    ->type_name("FILE");
  auto* train = app.add_flag("--train", options.train, "Train in place of serving requests");
  app.add_option("-r,--requests", options.requests, "Requests of each seed (default: 3)")
    ->check(CLI::Range(1u, 32u))->type_name("N")->excludes(train);
  app.add_option("-u,--updates", options.updates, "Updates of each seed, with --train (default: 4)")
    ->check(CLI::Range(1u, 1000u))->type_name("N")->needs(train);
  app.add_option("-j,--jobs", options.jobs, "Processes (default: one per core); never changes a seed's run")
    ->check(CLI::Range(1u, 1024u))->type_name("N");
  app.add_option("--shards", options.run.shards, "Projection shards of a layer (default: 2)")
    ->check(CLI::Range(1, 1024))->type_name("N");
  app.add_option("--workers", options.workers,
                 "Let so many simulated processes, and a spare, compute the layers: they die, and their links stall and break, too")
    ->check(CLI::Range(1, 8))->type_name("N");
  app.add_option("--replicas", options.run.replicas, "Copies of the model that serve requests side by side (default: 1)")
    ->check(CLI::Range(1, 16))->type_name("N")->excludes(train);
  app.add_flag("--all", options.all, "Go on after a seed that failed");
  app.add_flag("--trace", options.trace, "Print every message and injection of one seed, on stdout");
  app.add_flag("--json", options.as_json, "The result as a JSON object");
  declare_quiet(app, options.run);
  declare_examples(app, examples);
}

using trial_setups = std::vector<testing::trial_setup>;

/// Of the seeds in turn. A plan names actors of one model, so with a plan there is one.
trial_setups make_setups(const simulate_options& options) {
  const uint32_t shards = options.run.shards > 0 ? options.run.shards : 2;
  if (!options.run.model.empty()) {
    const auto model = open_model(options.run.model);
    return {options.train ? testing::make_training_setup(model, shards, options.updates)
                          : testing::make_setup(make_parts(model, {.shards = shards}), options.requests, options.run.replicas,
                                                options.workers)};
  }
  if (options.kind == "images") {
    if (options.train) return {testing::make_image_training_setup(options.updates)};
    return {testing::make_tiny_setup(options.requests, testing::tiny_kind::images, options.run.replicas, options.workers)};
  }
  if (options.kind == "audio") {
    if (options.train) throw usage_error("--kind audio: models that listen are not trained");
    return {testing::make_tiny_setup(options.requests, testing::tiny_kind::audio, options.run.replicas, options.workers)};
  }
  auto all = options.train ? testing::make_tiny_training_setups(options.updates)
                           : testing::make_tiny_setups(options.requests, options.run.replicas, options.workers);
  if (options.kind.empty() && options.plan.empty()) return all;
  const auto kind = options.kind.empty() ? std::begin(kinds) : std::ranges::find(kinds, options.kind);
  return {std::move(all.at(size_t(kind - std::begin(kinds))))};
}

using chosen_plan = std::optional<v1::FaultPlan>;

testing::trial_report run_one(const trial_setups& setups, const chosen_plan& plan, uint64_t seed,
                              const testing::trace_sink& trace = {}) {
  const auto& setup = setups[(seed + setups.size() - 1) % setups.size()];
  return plan ? testing::run_trial(setup, seed, *plan, trace) : testing::run_trial(setup, seed, trace);
}

std::vector<std::string> never_injected(const trial_setups& setups, const seed_totals& totals, const chosen_plan& plan) {
  std::vector<std::string> names;
  if (plan) {
    for (const auto& fault : plan->faults())
      if (!fault.optional() && !totals.injected.plan.contains(fault.name())) names.push_back(fault.name());
    return names;
  }
  if (totals.seeds < seeds_for_all_kinds) return names;
  for (size_t kind = 0; kind < testing::fault_kinds; ++kind)
    if (totals.injected.by_kind[kind] == 0) names.emplace_back(to_string(testing::fault_kind(kind)));
  std::set<std::string> roles;
  for (const auto& setup : setups) roles.insert(setup.roles.begin(), setup.roles.end());
  for (const auto& role : roles)
    if (!totals.injected.targets.contains(role)) names.push_back("an injection into " + role);
  return names;
}

std::string replay_command(const simulate_options& options, uint64_t seed) {
  std::string command = "troupe simulate --seeds " + std::to_string(seed);
  command += options.train ? " --train --updates " + std::to_string(options.updates)
                           : " --requests " + std::to_string(options.requests);
  if (!options.run.model.empty()) command += " --model " + options.run.model;
  if (!options.kind.empty()) command += " --kind " + options.kind;
  if (!options.plan.empty()) command += " --plan " + options.plan;
  if (options.run.shards > 0) command += " --shards " + std::to_string(options.run.shards);
  if (options.workers > 0) command += " --workers " + std::to_string(options.workers);
  if (options.run.replicas > 1) command += " --replicas " + std::to_string(options.run.replicas);
  return command + " --trace";
}

json to_json(const simulate_options& options, const trial_setups& setups, const seed_range& seeds, const seed_totals& totals,
             const chosen_plan& plan) {
  json result;
  result["seeds"] = totals.seeds;
  result["first"] = seeds.first;
  result["last"] = seeds.last;
  if (options.train) result["updates"] = options.updates;
  else result["requests"] = options.requests;
  result["failed"] = json::array();
  for (const auto& one : totals.failed)
    result["failed"].push_back(
      {{"seed", one.seed}, {"problem", one.problem}, {"replay", replay_command(options, one.seed)}});
  result["seconds"] = totals.seconds;
  result["seeds_per_s"] = double(totals.seeds) / std::max(totals.seconds, 1e-9);
  result["steps"] = totals.steps;
  result["restarts"] = totals.restarts;
  result[options.train ? "updates_done_again" : "resubmitted"] = totals.repeated;
  result["liveness_max_ms"] = double(totals.liveness_max.count()) / 1e6;
  result["messages"] = totals.injected.messages;
  result["messages_on_links_that_may_lose"] = totals.injected.affected_messages;
  for (size_t kind = 0; kind < testing::fault_kinds; ++kind)
    result["injections"][std::string(to_string(testing::fault_kind(kind)))] = totals.injected.by_kind[kind];
  for (const auto& [role, count] : totals.injected.targets) result["targets"][role] = count;
  if (plan) result["plan"] = totals.injected.plan;
  result["never_injected"] = never_injected(setups, totals, plan);
  return result;
}

std::string to_text(const simulate_options& options, const seed_totals& totals, const chosen_plan& plan) {
  char head[200];
  std::snprintf(head, sizeof head,
                "%llu seeds, %zu failed; %.1f seeds/s, %.1f million steps, %llu actors replaced, %llu %s\n",
                static_cast<unsigned long long>(totals.seeds), totals.failed.size(),
                double(totals.seeds) / std::max(totals.seconds, 1e-9), double(totals.steps) / 1e6,
                static_cast<unsigned long long>(totals.restarts), static_cast<unsigned long long>(totals.repeated),
                options.train ? "updates done again" : "requests sent again");
  std::string text = head + std::string("injections:");
  if (plan) {
    for (const auto& [fault, count] : totals.injected.plan) text += "\n  " + fault + ": " + std::to_string(count);
    return text + "\n";
  }
  for (size_t kind = 0; kind < testing::fault_kinds; ++kind)
    text += (kind == 0 ? " " : ", ") + std::string(to_string(testing::fault_kind(kind))) + " " +
            std::to_string(totals.injected.by_kind[kind]);
  text += "\ntargets:";
  const char* separator = " ";
  for (const auto& [role, count] : totals.injected.targets) {
    text += separator + role + " " + std::to_string(count);
    separator = ", ";
  }
  return text + "\n";
}

/// Runs one seed here, and prints all that happens.
int run_traced(const trial_setups& setups, const chosen_plan& plan, uint64_t seed) {
  const auto report = run_one(setups, plan, seed, [](const std::string& line) { print(line + "\n"); });
  char fingerprint[32];
  std::snprintf(fingerprint, sizeof fingerprint, "%016llx", static_cast<unsigned long long>(report.fingerprint));
  note("seed " + std::to_string(seed) + ": " + (report.problem.empty() ? "passed" : report.problem) + "; fingerprint " +
       fingerprint);
  return report.problem.empty() ? exit_ok : exit_failed;
}

void show_failure(const simulate_options& options, const trial_setups& setups, const chosen_plan& plan,
                  const failed_seed& failed) {
  note("seed " + std::to_string(failed.seed) + " failed: " + failed.problem);
  if (!failed.problem.starts_with("the process ended")) {
    std::deque<std::string> last;
    run_one(setups, plan, failed.seed, [&](const std::string& line) {
      last.push_back(line);
      if (last.size() > lines_shown) last.pop_front();
    });
    note("the last " + std::to_string(last.size()) + " lines of its trace:");
    for (const auto& line : last) note("  " + line);
  }
  note("replay it with: " + replay_command(options, failed.seed));
}

int run_simulate(const simulate_options& options) {
  const auto seeds = parse_seeds(options.seeds);
  if (!options.kind.empty() && !options.run.model.empty()) throw usage_error("--kind is for the built-in models");
  if (options.trace && seeds.count() > 1) throw usage_error("--trace shows one seed: give one with --seeds");
  chosen_plan plan;
  if (!options.plan.empty()) plan = read_fault_plan(options.plan);
  if (plan && options.train) check_for_training(*plan);
  const auto setups = make_setups(options);
  if (plan) check_reachable(*plan, setups.front().paths);
  if (options.trace) return run_traced(setups, plan, seeds.first);
  progress_bar bar{"simulating", !options.run.quiet};
  const auto trial = [&](uint64_t seed) { return run_one(setups, plan, seed); };
  const auto totals = run_seeds(trial, seeds, options.jobs, !options.all, [&](const seed_totals& so_far) {
    char rate[64];
    const double per_second = double(so_far.seeds) / std::max(so_far.seconds, 1e-9);
    std::snprintf(rate, sizeof rate, "%.0f seeds/s, %zu failed", per_second, so_far.failed.size());
    bar.advance(double(so_far.seeds) / double(seeds.count()), rate);
  });
  bar.finish();
  print(options.as_json ? to_json(options, setups, seeds, totals, plan).dump() + "\n" : to_text(options, totals, plan));
  if (totals.signal != 0) return 128 + totals.signal;
  if (!totals.failed.empty()) show_failure(options, setups, plan, totals.failed.front());
  const auto missing = never_injected(setups, totals, plan);
  for (const auto& name : missing) note("in " + std::to_string(totals.seeds) + " seeds this never happened: " + name);
  return totals.failed.empty() && missing.empty() ? exit_ok : exit_failed;
}

} // namespace

command_run declare_simulate(CLI::App& app) {
  const auto options = std::make_shared<simulate_options>();
  declare_options(app, *options);
  return [options] { return run_simulate(*options); };
}

} // namespace troupe
