#include "actors/faults/plan.hpp"
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/model_command.hpp"
#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/session.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "apps/troupe/evaluate/evaluation.hpp"
#include "apps/troupe/train/job.hpp"
#include "apps/troupe/train/line_config.hpp"
#include "apps/troupe/train/loss_curve.hpp"
#include "apps/troupe/train/progress.hpp"
#include "model/error.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <malloc.h>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <unistd.h>

namespace troupe {
namespace {

constexpr const char* examples = R"(troupe train --print-config > storyteller.json
troupe train storyteller.json
troupe train storyteller.json --resume
troupe train storyteller.json --json > progress.jsonl
troupe train --lines poems.txt --output poems --epochs 20
troupe generate -m run/best -p "Once upon a time")";

struct train_options {
  std::string config;
  line_options lines; // In place of it.
  bool print_config = false, as_json = false;
  run_options run; // --quiet.
  std::string plan;
  job_options job;
};

using clock = std::chrono::steady_clock;

progress_options progress_for(const train_options& options) {
  progress_options progress;
  if (options.as_json) progress.mode = progress_mode::json;
  else if (options.run.quiet) progress.mode = progress_mode::none;
  else if (const auto size = size_of_terminal(STDERR_FILENO)) {
    progress.mode = progress_mode::terminal;
    progress.columns = size->columns;
  }
  return progress;
}

/// Shows a run on the terminal, or as JSON lines on stdout.
class terminal_listener final : public job_listener {
public:
  explicit terminal_listener(const train_options& options)
      : options_(options), progress_(progress_for(options), [this](std::string_view text) { write(text); }) {}

  void note(const std::string& text) override {
    if (options_.run.quiet) return;
    progress_.clear();
    troupe::note(text);
  }
  void preparing(std::string_view what, double share) override {
    if (share == 0) bar_.emplace("Preparing: " + std::string(what), !options_.run.quiet && !options_.as_json);
    if (bar_) bar_->advance(share);
    if (share == 1) bar_.reset();
  }
  void step(const epoch_place& place, const training_figures& figures, const run_position&) override {
    if (!in_epoch_) {
      progress_.begin_epoch(last_event_, place.epoch, place.epochs, place.steps, place.step - 1);
      in_epoch_ = true;
    }
    last_event_ = clock::now();
    progress_.step(last_event_, figures);
    history_.training.push_back({figures.update, figures.loss});
    validation_.reset();
  }
  void validating(uint64_t, uint64_t) override { progress_.tick(clock::now()); }
  void validated(const epoch_place& place, const validation_figures& figures) override {
    target_means means;
    means.loss_sum = figures.loss * double(figures.targets);
    means.targets = figures.targets;
    means.hits = figures.hits;
    history_.validation.push_back({figures.update, figures.loss});
    last_event_ = clock::now();
    if (place.step == place.steps) validation_ = means; // It belongs to the epoch's last line.
    else progress_.validation(last_event_, means);
  }
  void epoch_ended(const epoch_place&, const run_position&) override {
    last_event_ = clock::now();
    progress_.end_epoch(last_event_, validation_);
    in_epoch_ = false;
  }
  bool stop() override { return interrupt_guard::signal() != 0; }

  const loss_history& history() const { return history_; }
  void clear() { progress_.clear(); }

private:
  void write(std::string_view text) {
    if (options_.as_json) return print(text);
    fwrite(text.data(), 1, text.size(), stderr);
    fflush(stderr);
  }

  const train_options& options_;
  training_progress progress_;
  std::optional<progress_bar> bar_;
  std::optional<target_means> validation_; // Of the epoch's end.
  loss_history history_;
  clock::time_point last_event_ = clock::now();
  bool in_epoch_ = false;
};

void report(const train_options& options, const job_outcome& outcome, terminal_listener& listener) {
  listener.clear();
  if (options.as_json || options.run.quiet) return;
  const auto curve = loss_curve_text(listener.history(), 72, 14);
  fputs(curve.c_str(), stderr);
  std::string text = outcome.is_interrupted ? "interrupted"
                     : outcome.is_early     ? "stopped: the validation loss does not get better"
                                            : "done";
  text += " after " + std::to_string(outcome.position.update) + " updates";
  if (outcome.attempts_failed > 0)
    text += "; faults: " + std::to_string(outcome.attempts_failed) + " attempts failed, " + std::to_string(outcome.replayed) +
            " updates were done again";
  note(text);
  if (outcome.position.validations > 0) {
    char best[96];
    std::snprintf(best, sizeof best, "best validation: loss %.4f, perplexity %.3f, at update %llu", outcome.position.best_loss,
                  std::exp(outcome.position.best_loss), static_cast<unsigned long long>(outcome.position.best_update));
    note(best);
  }
  if (outcome.is_interrupted) note("go on with: troupe train " + options.config + " --resume");
}

/// What the model is for, and how good its answers are: of up to documents_max texts that were held out.
void show_model(const train_options& options, const train_config& config, const job_outcome& outcome) {
  constexpr size_t documents_max = 1000;
  if (outcome.is_interrupted || (options.run.quiet && !options.as_json)) return;
  evaluation_options evaluation;
  evaluation.run = options.run;
  evaluation.run.model = (outcome.best.empty() ? config.output / "last" : outcome.best).string();
  evaluation.run.threads = options.job.threads;
  evaluation.run.quiet = evaluation.run.quiet || options.as_json;
  const auto model = open_model(evaluation.run);
  const std::string command = command_for(model->spec);
  const source_kind kind = outcome.held_out.source.kind;
  const bool is_judged = kind == source_kind::pairs || kind == source_kind::labels || kind == source_kind::images;
  if (is_judged && !outcome.held_out.documents.empty()) {
    const auto& all = outcome.held_out.documents;
    evaluation.documents.assign(all.begin(), all.begin() + ptrdiff_t(std::min(all.size(), documents_max)));
    evaluation.encoding.truncates = true;
    evaluation.encoding.tokens_max = uint32_t(config.batches.sequence_length); // As in training.
    const auto& held_out = outcome.held_out.source;
    const auto result = kind == source_kind::images ? evaluate(model, labelled_images(held_out), evaluation)
                                                    : evaluate(model, data_source(held_out), evaluation);
    if (result.exit_code >= 128) return;
    if (options.as_json) {
      auto line = to_json(result.figures);
      line["event"] = "evaluation";
      print(json_line(line));
    }
    else {
      const char* what = kind == source_kind::images ? " images" : " texts";
      note(std::to_string(evaluation.documents.size()) + what + " of the validation: " + summary(result.figures));
    }
  }
  const char* input = command == "generate" ? " -p TEXT" : command == "see" ? " IMAGE" : " TEXT";
  if (!options.as_json) note("try: troupe " + command + " -m " + evaluation.run.model + input);
}

int run_train(train_options options) {
  if (options.print_config) {
    print(train_config_template());
    return exit_ok;
  }
  if (!options.lines.files.empty()) options.config = write_line_config(options.lines).string();
  if (options.config.empty()) throw usage_error("a configuration is needed; --print-config writes one to start from");
  const train_config config = read_train_config(options.config);
  job_options job = options.job;
  if (!options.plan.empty()) job.fault_plan = std::make_shared<const v1::FaultPlan>(read_fault_plan(options.plan));
  // Activations are megabytes, are allocated and freed again and again, and must not come as fresh pages of the system each time.
  mallopt(M_MMAP_THRESHOLD, 32 << 20); // The most that glibc accepts.
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  interrupt_guard guard;
  terminal_listener listener(options);
  const job_outcome outcome = run_job(config, job, listener);
  report(options, outcome, listener);
  show_model(options, config, outcome);
  return outcome.is_interrupted ? 128 + interrupt_guard::signal() : exit_ok;
}

} // namespace

command_run declare_train(CLI::App& app) {
  const auto options = std::make_shared<train_options>();
  auto* config = app.add_option("config", options->config, "The run's configuration: JSON, see --print-config and docs/training.md");
  config->type_name("CONFIG.json");
  app.add_flag("--print-config", options->print_config, "Write a configuration to start from, with comments, and end");
  auto* lines = app.add_option("--lines", options->lines.files,
                               "In place of a configuration: a text file, of whose lines a small model learns; may be repeated. A fifth of "
                               "the lines is for validation")
                  ->allow_extra_args(false)->type_name("FILE")->excludes(config);
  app.add_option("--output", options->lines.output, "Of --lines: the run's folder, with the configuration that was made")
    ->capture_default_str()->type_name("FOLDER")->needs(lines);
  app.add_option("--epochs", options->lines.epochs, "Of --lines: how often the model sees each line")
    ->capture_default_str()->check(CLI::Range(1, 1 << 20))->type_name("N")->needs(lines);
  app.add_flag("--resume", options->job.resume, "Go on from the newest checkpoint of the run, byte for byte");
  app.add_option("-t,--threads", options->job.threads, "Worker threads; 0: one per core")->capture_default_str();
  app.add_option("--shards", options->job.shards, "Projection shards of a layer; 0: as many as threads")->capture_default_str();
  app.add_option("--in-flight", options->job.in_flight_max, "Micro-batches under way at once")->capture_default_str();
  app.add_option("--plan", options->plan, "Inject the faults of this plan")->type_name("PLAN.json");
  app.add_flag("--json", options->as_json, "Write a JSON object a line for each step and validation");
  declare_quiet(app, options->run);
  declare_examples(app, examples);
  return [options] { return run_train(*options); };
}

} // namespace troupe
