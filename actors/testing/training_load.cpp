// The load of a trial: a training run.
#include "actors/testing/simulated_training.hpp"
#include "actors/testing/training_job.hpp"
#include "actors/testing/trial.hpp"
#include "model/error.hpp"
#include "model/testing/tiny_model.hpp"

namespace troupe::testing {
namespace {

/// Updates, one after the other; after some of them the loss of a validation batch; the states of some are kept, that of the last one
/// always.
class training_under_way : public load_under_way {
public:
  training_under_way(uint64_t seed, training_tree_config config, model_state first, std::shared_ptr<const v1::FaultPlan> plan,
                     observers watch, const reference_run& wanted)
      : wanted_(wanted), bits_{~seed}, kept_in_four_(bits_.below(4)),
        actors_(seed, std::move(config), std::move(first), std::move(plan), std::move(watch)) {}

  simulated_actors& actors() override { return actors_; }
  bool is_done() override { return ordered_ == order::nothing_more; }
  uint64_t repeated() override { return actors_.tracker().replayed(); }
  std::string outstanding() override {
    return std::to_string(wanted_.figures.size() - actors_.tracker().update()) + " updates are not done";
  }

  std::string proceed() override {
    auto& tracker = actors_.tracker();
    if (auto wrong = difference_of_state(); !wrong.empty()) return wrong;
    if (tracker.busy()) return "";
    const auto report = tracker.take_report();
    if (report)
      if (auto wrong = difference(*report); !wrong.empty()) return wrong;
    if (is_done()) return "";
    const uint64_t update = tracker.update(), updates = wanted_.figures.size();
    if (ordered_ == order::update && bits_.below(3) == 0) {
      ordered_ = order::evaluation;
      tracker.evaluate(update - 1);
    } else if (update < updates) {
      ordered_ = order::update;
      tracker.train(update + 1 == updates || bits_.below(4) <= kept_in_four_);
    } else {
      ordered_ = order::nothing_more;
      if (tracker.state_update() != updates) return "the last state is missing";
    }
    return "";
  }

private:
  enum class order : uint8_t { nothing_yet, update, evaluation, nothing_more };

  std::string difference(const v1::StepReport& report) const {
    if (!report.error().empty()) return "error: " + report.error();
    const auto update = report.update();
    if (update == 0 || update > wanted_.figures.size()) return "the report of an update that was not ordered";
    if (ordered_ == order::evaluation)
      return report.loss() == wanted_.evaluations[update - 1] ? "" : "the evaluation after update " + std::to_string(update) + " differs";
    const auto& figures = wanted_.figures[update - 1];
    const char* what = report.loss() / double(report.targets()) != figures.loss ? "loss"
                       : report.gradient_norm() != figures.gradient_norm        ? "gradient norm"
                       : report.hits() != figures.hits                          ? "number of hits"
                                                                                : nullptr;
    return what ? std::string("the ") + what + " of update " + std::to_string(update) + " differs" : "";
  }

  /// Of the newest complete state, when there is a newer one than at the last time.
  std::string difference_of_state() {
    const auto update = actors_.tracker().state_update();
    if (update == checked_) return "";
    checked_ = update;
    const auto wrong = testing::difference(actors_.tracker().state(), wanted_.states[update - 1]);
    return wrong.empty() ? "" : "weights after update " + std::to_string(update) + " differ at " + wrong;
  }

  const reference_run& wanted_;
  raw_bits bits_;
  uint64_t kept_in_four_;
  simulated_training actors_;
  order ordered_ = order::nothing_yet; // Most recently.
  uint64_t checked_ = 0;               // Which state.
};

class training_load : public trial_load {
public:
  training_load(training_job job, uint32_t updates)
      : job_(std::move(job)), first_(job_.first_state()), wanted_(job_.by_reference(updates)) {}

  std::unique_ptr<load_under_way> start(uint64_t seed, std::shared_ptr<const v1::FaultPlan> plan, observers watch) const override {
    auto config = job_.tree();
    config.trainer.in_flight_max = uint32_t(1 + seed % 4);
    return std::make_unique<training_under_way>(seed, std::move(config), first_, std::move(plan), std::move(watch), wanted_);
  }

  const training_job& job() const { return job_; }
  const model_state& first_state() const { return first_; }

private:
  training_job job_;
  model_state first_;
  reference_run wanted_;
};

trial_setup setup_of_job(training_job job, uint32_t updates) {
  TROUPE_ASSERT(updates > 0);
  const auto load = std::make_shared<training_load>(std::move(job), updates);
  simulated_training undisturbed(1, load->job().tree(), load->first_state());
  return setup_of(load, undisturbed);
}

} // namespace

trial_setup make_training_setup(std::shared_ptr<const model_file> model, uint32_t shards, uint32_t updates) {
  return setup_of_job(training_job(std::move(model), shards), updates);
}

trial_setup make_tiny_training_setup(uint32_t updates) { return setup_of_job(make_tiny_training_job(), updates); }

std::vector<trial_setup> make_tiny_training_setups(uint32_t updates) {
  return {make_tiny_training_setup(updates), setup_of_job(make_tiny_translation_job(), updates),
          setup_of_job(make_tiny_classification_job(), updates)};
}

trial_setup make_image_training_setup(uint32_t updates) { return setup_of_job(make_tiny_image_job(), updates); }

} // namespace troupe::testing
