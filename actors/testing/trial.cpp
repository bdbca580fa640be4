#include "actors/testing/trial.hpp"

#include <algorithm>

namespace troupe::testing {
namespace {

/// A load with its actors, and their injector.
class trial {
public:
  trial(const trial_setup& setup, uint64_t seed, const fault_schedule& schedule, const trace_sink& trace,
        const trial_bounds& bounds, std::shared_ptr<const v1::FaultPlan> plan = nullptr)
      : setup_(setup), bounds_(bounds), has_plan_(plan != nullptr), injector_(schedule, trace),
        load_(setup.load->start(seed, std::move(plan), make_observers(!has_plan_))), actors_(load_->actors()) {
    report_.seed = seed;
    start_ = actors_.sim.now();
    injector_.begin(actors_);
    load_->proceed(); // Orders the first of what is to be done.
  }

  trial_report run() {
    run_safety_phase();
    if (report_.problem.empty()) run_liveness_phase();
    report_.time = actors_.sim.now() - start_;
    report_.fingerprint = actors_.sim.fingerprint();
    report_.injected = injector_.injected();
    const auto log = has_plan_ ? actors_.fault_log() : v1::FaultLog{};
    for (const auto& injection : log.injections()) ++report_.injected.plan[injection.fault()];
    for (const auto& [path, starts] : actors_.starts) report_.restarts += path == paths::sequences ? 0 : starts - 1;
    const auto left = actors_.close();
    if (report_.problem.empty() && left > 0)
      fail("at the end", std::to_string(left) + " actors are left after all was stopped");
    return report_;
  }

private:
  /// Under a plan messages are disturbed by the plan's injector, not by ours.
  observers make_observers(bool with_traffic) {
    auto result = injector_.make_observers();
    if (!with_traffic) result.traffic = {};
    return result;
  }

  /// False: there is nothing left to do, or something is wrong.
  bool step(const char* phase) {
    injector_.before_step();
    if (injector_.is_on()) load_->disturb();
    if (!actors_.step() && !injector_.release_held()) return false;
    ++report_.steps;
    if (const auto wrong = load_->proceed(); !wrong.empty()) fail(phase, wrong);
    return report_.problem.empty();
  }

  void fail(const char* phase, const std::string& what) { report_.problem = std::string(phase) + ": " + what; }

  void run_safety_phase() {
    for (uint64_t i = 0; i < bounds_.steps && injector_.is_on() && !load_->is_done(); ++i)
      if (!step("safety")) break;
    injector_.end();
    load_->calm();
    actors_.stop_faults();
  }

  void run_liveness_phase() {
    const auto faults_ended = actors_.sim.now();
    for (uint64_t i = 0; i < bounds_.steps && !load_->is_done() && report_.problem.empty(); ++i)
      if (!step("liveness")) break;
    report_.liveness = actors_.sim.now() - faults_ended;
    if (!report_.problem.empty()) return;
    if (!load_->is_done())
      return fail("liveness", "stuck: " + load_->outstanding());
    report_.repeated = load_->repeated();
    if (report_.liveness > bounds_.time)
      return fail("liveness", "it took " + std::to_string(report_.liveness / std::chrono::seconds(1)) + " s (virtual)");
    check_idle_state();
  }

  /// Nothing is outstanding: now the hung actors go on as well, and then all must be as in an undisturbed run.
  void check_idle_state() {
    actors_.sim.thaw_all();
    for (uint64_t i = 0;; ++i) {
      if (i == bounds_.steps) return fail("idle", "there is always something to do");
      if (!actors_.step() && !injector_.release_held()) break;
    }
    if (const auto names = actors_.unread(); !names.empty()) return fail("idle", names.front() + " has unread messages");
    const auto listed = actors_.listed_paths();
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
    const auto starts = actors_.starts;
    for (const auto& path : setup_.expected_paths)
      for (const auto id : actors_.former_handles(path)) actors_.abandon(path, id);
    for (uint64_t i = 0; i < bounds_.steps && actors_.step(); ++i) {}
    for (const auto& [path, count] : actors_.starts)
      if (count != starts.at(path)) return fail("idle", "a late order to abandon an earlier incarnation hit " + path);
  }

  const trial_setup& setup_;
  trial_bounds bounds_;
  bool has_plan_;
  trial_report report_;
  simulated_injector injector_; // Outlives the actors.
  std::unique_ptr<load_under_way> load_;
  simulated_actors& actors_;
  caf::actor_clock::time_point start_;
};

} // namespace

trial_setup setup_of(std::shared_ptr<const trial_load> load, simulated_actors& undisturbed) {
  undisturbed.sim.run_to_idle();
  trial_setup setup{std::move(load), undisturbed.listed_paths(), {}, {}};
  for (const auto& [path, handle] : undisturbed.newest) {
    setup.paths.push_back(path);
    setup.roles.insert(role_of(path));
  }
  undisturbed.close();
  return setup;
}

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
