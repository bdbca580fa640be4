#include "actors/testing/trial.hpp"

#include "actors/testing/simulated_engine.hpp"
#include "model/model_file.hpp"
#include "model/testing/tiny_model.hpp"
#include "model/tokenizer/make_tokenizer.hpp"

#include <algorithm>

namespace troupe::testing {
namespace {

v1::GenerateRequest draw_request(const model_parts& model, raw_bits& bits, uint32_t number) {
  v1::GenerateRequest request;
  const uint32_t room = model.positions_max - 1;
  const auto prompt = std::min(room, uint32_t(1 + bits.below(12)));
  for (uint32_t i = 0; i < prompt; ++i) request.add_prompt_tokens(uint32_t(bits.below(model.spec.vocabulary)));
  request.set_tokens_max(std::min(room - prompt, uint32_t(3 + bits.below(12))));
  request.set_ignore_end_of_generation(true);
  sampling_options sampling;
  sampling.temperature = number % 2 == 0 ? 0.0f : 0.9f;
  sampling.seed = number;
  *request.mutable_sampling() = to_message(sampling);
  if (number % 4 == 3) { // A scoring: every logit and every hidden state counts.
    request.set_tokens_max(0);
    request.set_want_logits(true);
    request.set_want_hidden_states(true);
  }
  return request;
}

troupe_config config_of(const trial_setup& setup, uint64_t seed) {
  raw_bits bits{~seed};
  troupe_config config{setup.model, setup.words, {}, 64, {}};
  uint64_t longest = 0;
  for (const auto& request : setup.requests)
    longest = std::max<uint64_t>(longest, uint64_t(request.prompt_tokens_size()) + request.tokens_max());
  config.limits.step_rows_max = 1 + uint32_t(bits.below(9));
  config.limits.prefill_chunk = 1 + uint32_t(bits.below(5));
  config.limits.logits_rows_max = 1 + uint32_t(bits.below(5));
  // Often too few for all: then sequences are preempted.
  config.limits.cache_positions_max = longest + 1 + bits.below(longest * setup.requests_per_trial);
  return config;
}

/// A troupe with its injector and its requests.
class trial {
public:
  trial(const trial_setup& setup, uint64_t seed, const fault_schedule& schedule, const trace_sink& trace,
        const trial_bounds& bounds, std::shared_ptr<const v1::FaultPlan> plan = nullptr)
      : setup_(setup), bounds_(bounds), has_plan_(plan != nullptr), injector_(schedule, trace),
        troupe_(seed, config_of(setup, seed), plan, make_observers(!has_plan_)) {
    report_.seed = seed;
    start_ = troupe_.sim.now();
    injector_.begin(troupe_);
    for (uint32_t i = 0; i < setup.requests_per_trial; ++i) {
      const auto which = troupe_.sim.draw(setup.requests.size());
      chosen_[troupe_.tracker().submit(setup.requests[which])] = &setup.wanted[which];
    }
  }

  trial_report run() {
    run_safety_phase();
    if (report_.problem.empty()) run_liveness_phase();
    report_.time = troupe_.sim.now() - start_;
    report_.fingerprint = troupe_.sim.fingerprint();
    report_.injected = injector_.injected();
    const auto log = has_plan_ ? troupe_.fault_log() : v1::FaultLog{};
    for (const auto& injection : log.injections()) ++report_.injected.plan[injection.fault()];
    for (const auto& [path, starts] : troupe_.starts) report_.restarts += path == paths::sequences ? 0 : starts - 1;
    const auto left = troupe_.close();
    if (report_.problem.empty() && left > 0)
      fail("at the end", std::to_string(left) + " actors are left after the troupe was stopped");
    return report_;
  }

private:
  /// Under a plan messages are disturbed by the plan's injector, not by ours.
  observers make_observers(bool with_traffic) {
    auto result = injector_.make_observers();
    if (!with_traffic) result.traffic = {};
    return result;
  }

  bool all_done() { return troupe_.tracker().pending().empty(); }

  /// False: there is nothing left to do, or something is wrong.
  bool step(const char* phase) {
    injector_.before_step();
    if (!troupe_.step() && !injector_.release_held()) return false;
    ++report_.steps;
    if (troupe_.outcomes.size() + events_seen() != seen_) check(phase);
    return report_.problem.empty();
  }

  uint64_t events_seen() const {
    uint64_t events = 0;
    for (const auto& [id, out] : troupe_.outcomes)
      events += out.tokens.size() + out.logits.size() + out.hidden.size() + !out.end.empty();
    return events;
  }

  void check(const char* phase) {
    seen_ = troupe_.outcomes.size() + events_seen();
    for (const auto& [id, out] : troupe_.outcomes)
      if (const auto wrong = difference(out, *chosen_.at(id), !out.end.empty()); !wrong.empty())
        return fail(phase, "request " + std::to_string(id) + ": " + wrong);
  }

  void fail(const char* phase, const std::string& what) { report_.problem = std::string(phase) + ": " + what; }

  void run_safety_phase() {
    for (uint64_t i = 0; i < bounds_.steps && injector_.is_on() && !all_done(); ++i)
      if (!step("safety")) break;
    injector_.end();
    troupe_.stop_faults();
  }

  void run_liveness_phase() {
    const auto faults_ended = troupe_.sim.now();
    for (uint64_t i = 0; i < bounds_.steps && !all_done() && report_.problem.empty(); ++i)
      if (!step("liveness")) break;
    report_.liveness = troupe_.sim.now() - faults_ended;
    if (!report_.problem.empty()) return;
    if (!all_done())
      return fail("liveness", "stuck: " + std::to_string(troupe_.tracker().pending().size()) + " requests do not finish");
    report_.resubmitted = troupe_.tracker().resubmitted();
    if (report_.liveness > bounds_.time)
      return fail("liveness", "it took " + std::to_string(report_.liveness / std::chrono::seconds(1)) + " s (virtual)");
    check("liveness");
    if (!report_.problem.empty()) return;
    check_idle_state();
  }

  /// All requests have finished: now the hung actors go on as well, and then the troupe must be as an undisturbed one.
  void check_idle_state() {
    troupe_.sim.thaw_all();
    for (uint64_t i = 0;; ++i) {
      if (i == bounds_.steps) return fail("idle", "there is always something to do");
      if (!troupe_.step() && !injector_.release_held()) break;
    }
    if (const auto names = troupe_.unread(); !names.empty()) return fail("idle", names.front() + " has unread messages");
    const auto listed = troupe_.listed_paths();
    if (listed == setup_.expected_paths) return check_late_orders();
    std::string text;
    std::vector<std::string> odd;
    const auto& wanted = setup_.expected_paths;
    std::set_symmetric_difference(listed.begin(), listed.end(), wanted.begin(), wanted.end(), std::back_inserter(odd));
    for (const auto& path : odd) text += ' ' + path;
    fail("idle", "in the directory, missing or one too many:" + text);
  }

  /// Every actor that was replaced is reported once more, late: this must not hit its replacement.
  void check_late_orders() {
    const auto starts = troupe_.starts;
    for (const auto& path : setup_.expected_paths)
      for (const auto id : troupe_.former_handles(path)) troupe_.abandon(path, id);
    for (uint64_t i = 0; i < bounds_.steps && troupe_.step(); ++i) {}
    for (const auto& [path, count] : troupe_.starts)
      if (count != starts.at(path)) return fail("idle", "a late order to abandon an earlier incarnation hit " + path);
  }

  const trial_setup& setup_;
  trial_bounds bounds_;
  bool has_plan_;
  trial_report report_;
  simulated_injector injector_; // Outlives the troupe.
  simulated_troupe troupe_;
  caf::actor_clock::time_point start_;
  std::map<uint64_t, const request_outcome*> chosen_; // By request: what must come out.
  uint64_t seen_ = 0;
};

} // namespace

trial_setup make_setup(std::shared_ptr<const model_parts> model, uint32_t requests_per_trial) {
  trial_setup setup;
  setup.model = std::move(model);
  setup.requests_per_trial = requests_per_trial;
  if (setup.model->file->words.kind != tokenizer_kind::none) setup.words = make_tokenizer(setup.model->file->words);
  raw_bits bits{1};
  for (uint32_t i = 0; i < 16; ++i) {
    setup.requests.push_back(draw_request(*setup.model, bits, i));
    setup.wanted.push_back(by_reference(setup.model, setup.requests.back()));
  }
  simulated_troupe undisturbed(1, config_of(setup, 1));
  undisturbed.sim.run_to_idle();
  setup.expected_paths = undisturbed.listed_paths();
  undisturbed.close();
  return setup;
}

trial_setup make_tiny_setup(uint32_t requests_per_trial) { return make_setup(make_tiny_parts(), requests_per_trial); }

trial_report run_trial(const trial_setup& setup, uint64_t seed, const trace_sink& trace, const trial_bounds& bounds) {
  return run_trial(setup, seed, draw_fault_schedule(seed), trace, bounds);
}

trial_report run_trial(const trial_setup& setup, uint64_t seed, v1::FaultPlan plan, const trace_sink& trace,
                       const trial_bounds& bounds) {
  auto schedule = no_faults();
  schedule.steps = plan_steps;
  plan.set_seed(seed);
  return trial(setup, seed, schedule, trace, bounds, std::make_shared<const v1::FaultPlan>(std::move(plan))).run();
}

trial_report run_trial(const trial_setup& setup, uint64_t seed, const fault_schedule& schedule, const trace_sink& trace,
                       const trial_bounds& bounds) {
  return trial(setup, seed, schedule, trace, bounds).run();
}

} // namespace troupe::testing
