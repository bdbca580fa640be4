#include "actors/testing/trial.hpp"

#include "actors/testing/simulated_engine.hpp"
#include "model/model_file.hpp"
#include "model/testing/tiny_model.hpp"

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

troupe_config config_of(const trial_world& world, uint64_t seed) {
  raw_bits bits{~seed};
  troupe_config config{world.model, world.words, {}, 64, {}};
  uint64_t longest = 0;
  for (const auto& request : world.requests)
    longest = std::max<uint64_t>(longest, uint64_t(request.prompt_tokens_size()) + request.tokens_max());
  config.limits.step_rows_max = 1 + uint32_t(bits.below(9));
  config.limits.prefill_chunk = 1 + uint32_t(bits.below(5));
  config.limits.logits_rows_max = 1 + uint32_t(bits.below(5));
  // Often too few for all: then sequences are preempted.
  config.limits.cache_positions_max = longest + 1 + bits.below(longest * world.requests_per_trial);
  return config;
}

/// A troupe with its storm and its requests.
class trial {
public:
  trial(const trial_world& world, uint64_t seed, const weather& now, const trace_sink& trace, const trial_bounds& bounds)
      : world_(world), bounds_(bounds), storm_(now, trace), troupe_(seed, config_of(world, seed), storm_.eyes()) {
    report_.seed = seed;
    start_ = troupe_.sim.now();
    storm_.begin(troupe_);
    for (uint32_t i = 0; i < world.requests_per_trial; ++i) {
      const auto which = troupe_.sim.draw(world.requests.size());
      chosen_[troupe_.desk().submit(world.requests[which])] = &world.wanted[which];
    }
  }

  trial_report run() {
    run_storm();
    if (report_.problem.empty()) run_calm();
    report_.time = troupe_.sim.now() - start_;
    report_.fingerprint = troupe_.sim.fingerprint();
    report_.struck = storm_.struck();
    for (const auto& [path, starts] : troupe_.starts) report_.restarts += path == paths::sequences ? 0 : starts - 1;
    const auto left = troupe_.close();
    if (report_.problem.empty() && left > 0)
      fail("at the end", std::to_string(left) + " actors are left after the troupe was stopped");
    return report_;
  }

private:
  bool all_done() { return troupe_.desk().pending().empty(); }

  /// False: nobody can do anything any more, or something is wrong.
  bool step(const char* phase) {
    storm_.before_step();
    if (!troupe_.step() && !storm_.stir()) return false;
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

  void run_storm() {
    for (uint64_t i = 0; i < bounds_.steps && storm_.is_on() && !all_done(); ++i)
      if (!step("storm")) break;
    storm_.end();
  }

  void run_calm() {
    const auto calm = troupe_.sim.now();
    for (uint64_t i = 0; i < bounds_.steps && !all_done() && report_.problem.empty(); ++i)
      if (!step("calm")) break;
    report_.liveness = troupe_.sim.now() - calm;
    if (!report_.problem.empty()) return;
    if (!all_done())
      return fail("calm", "stuck: " + std::to_string(troupe_.desk().pending().size()) + " requests do not finish");
    report_.resubmitted = troupe_.desk().resubmitted();
    if (report_.liveness > bounds_.time)
      return fail("calm", "it took " + std::to_string(report_.liveness / std::chrono::seconds(1)) + " s (virtual)");
    check("calm");
    if (!report_.problem.empty()) return;
    check_order();
  }

  /// All requests have finished: now those who hung go on as well, and the house must be in order.
  void check_order() {
    troupe_.sim.thaw_all();
    for (uint64_t i = 0;; ++i) {
      if (i == bounds_.steps) return fail("idle", "there is always something to do");
      if (!troupe_.step() && !storm_.stir()) break;
    }
    if (const auto names = troupe_.unread(); !names.empty()) return fail("idle", names.front() + " has unread messages");
    const auto listed = troupe_.listed_paths();
    if (listed == world_.standing) return check_late_orders();
    std::string who;
    std::vector<std::string> odd;
    const auto& wanted = world_.standing;
    std::set_symmetric_difference(listed.begin(), listed.end(), wanted.begin(), wanted.end(), std::back_inserter(odd));
    for (const auto& path : odd) who += ' ' + path;
    fail("idle", "in the directory, missing or one too many:" + who);
  }

  /// Whoever was replaced is reported once more, late: its replacement must not mind.
  void check_late_orders() {
    const auto starts = troupe_.starts;
    for (const auto& path : world_.standing)
      for (const auto id : troupe_.former_handles(path)) troupe_.abandon(path, id);
    for (uint64_t i = 0; i < bounds_.steps && troupe_.step(); ++i) {}
    for (const auto& [path, count] : troupe_.starts)
      if (count != starts.at(path)) return fail("idle", "a late order to abandon an earlier life hit " + path);
  }

  const trial_world& world_;
  trial_bounds bounds_;
  trial_report report_;
  storm storm_; // Outlives the troupe.
  simulated_troupe troupe_;
  caf::actor_clock::time_point start_;
  std::map<uint64_t, const request_outcome*> chosen_; // By request: what must come out.
  uint64_t seen_ = 0;
};

} // namespace

trial_world make_world(std::shared_ptr<const model_parts> model, uint32_t requests_per_trial) {
  trial_world world;
  world.model = std::move(model);
  world.requests_per_trial = requests_per_trial;
  if (world.model->file->words.kind != tokenizer_kind::none) world.words = make_tokenizer(world.model->file->words);
  raw_bits bits{1};
  for (uint32_t i = 0; i < 16; ++i) {
    world.requests.push_back(draw_request(*world.model, bits, i));
    world.wanted.push_back(by_reference(world.model, world.requests.back()));
  }
  simulated_troupe undisturbed(1, config_of(world, 1));
  undisturbed.sim.run_to_idle();
  world.standing = undisturbed.listed_paths();
  undisturbed.close();
  return world;
}

trial_world make_tiny_world(uint32_t requests_per_trial) { return make_world(make_tiny_parts(), requests_per_trial); }

trial_report run_trial(const trial_world& world, uint64_t seed, const trace_sink& trace, const trial_bounds& bounds) {
  return run_trial(world, seed, draw_weather(seed), trace, bounds);
}

trial_report run_trial(const trial_world& world, uint64_t seed, const weather& now, const trace_sink& trace,
                       const trial_bounds& bounds) {
  return trial(world, seed, now, trace, bounds).run();
}

} // namespace troupe::testing
