#include "actors/training_engine.hpp"

#include "actors/faults/plan.hpp"
#include "actors/threads/processors.hpp"
#include "actors/training/parameter_owner.hpp"
#include "actors/training/run_tracker.hpp"
#include "actors/tree/runtime.hpp"
#include "actors/tree/training_tree.hpp"
#include "model/error.hpp"
#include "model/training/dropout.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace troupe {
namespace {

/// Validation is without label smoothing: its loss is that of the text.
batch_source_factory make_source_factory(batch_factory make_batches, float smoothing, const dropout& drops) {
  return [=, make_batches = std::move(make_batches)]() -> batch_source {
    return [=, batches = make_batches()](const v1::BatchName& name) {
      const dropout here{drops.share, drops.seed, name.number(), 0};
      return name.validation() ? make_training_batch(batches.validation(name.number()), true, 0, {})
                               : make_training_batch(batches.training(name.number()), false, smoothing, here);
    };
  };
}

/// Whole tensors, put together from slices.
class whole_tensors {
public:
  explicit whole_tensors(const trained_state& state) {
    for (const auto& one : state.slices) by_key_[one.slice.key].push_back(&one);
  }
  /// Fills the rows of `into` from whatever slices have them.
  void fill(parameter& into) const {
    const auto found = by_key_.find(into.slice.key);
    uint64_t rows = 0;
    if (found != by_key_.end())
      for (const trained_slice* one : found->second) rows += copy_rows(*one, into);
    if (rows != into.slice.rows.count)
      throw input_error("the state to go on from lacks rows of the " + to_string(into.slice.key) + ": it is of another model");
  }

private:
  static uint64_t copy_rows(const trained_slice& from, parameter& into) {
    const uint32_t first = std::max(from.slice.rows.first, into.slice.rows.first);
    const uint32_t end = std::min(from.slice.rows.first + from.slice.rows.count, into.slice.rows.first + into.slice.rows.count);
    if (first >= end || from.slice.columns != into.slice.columns) return 0;
    const uint64_t columns = into.slice.columns;
    const auto copy = [&](const std::vector<float>& source, std::vector<float>& to) {
      std::copy_n(source.begin() + ptrdiff_t((first - from.slice.rows.first) * columns), (end - first) * columns,
                  to.begin() + ptrdiff_t((first - into.slice.rows.first) * columns));
    };
    copy(from.value, into.value);
    copy(from.first_moment, into.first_moment);
    copy(from.second_moment, into.second_moment);
    if (!from.smoothed.empty()) {
      into.smoothed.resize(into.value.size());
      copy(from.smoothed, into.smoothed);
    }
    return end - first;
  }

  std::map<tensor_key, std::vector<const trained_slice*>> by_key_;
};

/// The first state of all owners: that of the model's tensors, or `from`, cut as the owners are.
model_state first_state(const trainable_builder& model, const std::optional<trained_state>& from) {
  model_state all;
  const auto tensors = from ? std::optional<whole_tensors>(*from) : std::nullopt;
  each_owner(model, [&](const std::string& path, std::vector<parameter*> parameters) {
    if (tensors)
      for (parameter* one : parameters) tensors->fill(*one);
    else model.fill(parameters);
    all.emplace(path, caf::make_message(make_state(path, from ? from->update : 0, parameters)));
  });
  return all;
}

std::vector<float> vector_of(const float_field& field) { return {field.begin(), field.end()}; }

training_figures to_figures(const v1::StepReport& report) {
  training_figures figures;
  figures.update = report.update();
  figures.loss = report.targets() == 0 ? 0 : report.loss() / double(report.targets());
  figures.targets = report.targets();
  figures.hits = report.hits();
  figures.rows = report.rows();
  figures.gradient_norm = report.gradient_norm();
  figures.rate = report.rate();
  figures.wall = std::chrono::nanoseconds(report.wall_ns());
  figures.compute = std::chrono::nanoseconds(report.compute_ns());
  figures.attempts = report.attempts();
  return figures;
}

/// With the defaults filled in.
training_options checked(training_options options) {
  if (options.fault_plan) check_for_training(*options.fault_plan);
  if (options.threads == 0) options.threads = usable_processors().count;
  options.in_flight_max = std::max(options.in_flight_max, 1u);
  return options;
}

} // namespace

struct training_engine::implementation {
  std::shared_ptr<const trainable_builder> model;
  training_options options;
  runtime running;
  std::optional<run_tracker> tracker;
  uint64_t snapshot_every = 1; // As it was measured.

  implementation(std::shared_ptr<const trainable_builder> of, const training_options& asked)
    : model(std::move(of)), options(asked), running({.threads = asked.threads, .pin = asked.pin_threads}, asked.fault_plan) {}
};

training_engine::training_engine(std::shared_ptr<const trainable_builder> model, batch_factory make_batches,
                                 const training_options& options, std::optional<trained_state> state)
  : state_(std::make_unique<implementation>(model, checked(options))) {
  auto& st = *state_;
  training_tree_config config;
  config.model = model;
  config.trainer.optimiser = st.options.optimiser;
  config.trainer.schedule = st.options.schedule;
  config.trainer.weights_kept = st.options.weights_kept;
  config.trainer.in_flight_max = st.options.in_flight_max;
  config.make_source = make_source_factory(std::move(make_batches), st.options.label_smoothing,
                                           {st.options.dropout, st.options.seed, 0, 0});
  config.hook = st.running.hook();
  auto first = first_state(*model, state);
  st.running.set_root(spawn_training_root(st.running.system(), std::move(config)));
  st.tracker.emplace(st.running.system(), st.running.root(), std::move(first), state ? state->update : 0);
}

training_engine::~training_engine() { stop(); }

size_t training_engine::stop() {
  state_->tracker.reset();
  return state_->running.stop();
}

void training_engine::train(bool keep_state) {
  auto& st = *state_;
  const uint64_t every = st.options.snapshot_every > 0 ? st.options.snapshot_every : st.snapshot_every;
  st.tracker->train(keep_state || st.tracker->update() + 1 - st.tracker->state_update() >= every);
}

void training_engine::evaluate(uint64_t batch) { state_->tracker->evaluate(batch); }

std::optional<training_figures> training_engine::wait(std::chrono::milliseconds timeout) {
  auto& tracker = *state_->tracker;
  const auto end = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    if (const auto report = tracker.take_report()) {
      if (!report->error().empty()) throw input_error(report->error());
      if (report->state_ns() > 0) {
        const double state_ns = double(report->state_ns()) / state_->options.threads, step_ns = double(report->wall_ns()) - state_ns;
        state_->snapshot_every = std::clamp<uint64_t>(uint64_t(100 * state_ns / std::max(step_ns, 1.0)) + 1, 1, 100);
      }
      return to_figures(*report);
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return std::nullopt;
    tracker.receive(left);
  }
}

training_figures training_engine::wait() {
  for (;;)
    if (const auto figures = wait(std::chrono::hours(1))) return *figures;
}

uint64_t training_engine::update() const { return state_->tracker->update(); }
uint64_t training_engine::state_update() const { return state_->tracker->state_update(); }
uint64_t training_engine::updates_replayed() const { return state_->tracker->replayed(); }
v1::FaultLog training_engine::fault_log() const { return state_->running.fault_log(); }
void training_engine::stop_faults() { state_->running.stop_faults(); }
const training_options& training_engine::options() const { return state_->options; }
std::vector<std::string> training_engine::actors() const { return actor_paths(*state_->model); }

trained_state training_engine::state() const {
  trained_state all{state_->tracker->state_update(), {}};
  for (const auto& [path, message] : state_->tracker->state())
    for (const auto& one : message.get_as<v1::ParameterState>(0).slices())
      all.slices.push_back({to_slice(one.slice()), vector_of(one.values()), vector_of(one.first_moments()),
                            vector_of(one.second_moments()), vector_of(one.smoothed())});
  return all;
}

} // namespace troupe
