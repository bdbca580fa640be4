// Messages of a training step that come late, twice, or after others that were sent later: each of these made wrong weights once, and
// was found by simulation.
#include "actors/testing/simulated_training.hpp"
#include "actors/testing/training_job.hpp"
#include "support/catch.hpp"

#include <optional>
#include <utility>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Messages that are held back.
class holding {
public:
  void take(message_record& here) { held_.push_back({here.to.actor.lock(), std::move(here.element)}); }
  void release() {
    for (auto& one : std::exchange(held_, {})) one.to->enqueue(std::move(one.element), nullptr);
  }

private:
  struct held_message {
    caf::strong_actor_ptr to;
    caf::mailbox_element_ptr element;
  };
  std::vector<held_message> held_;
};

/// Trains, and compares every step with the reference. `before_step`: called before each step of an actor.
void check_training(const training_job& job, uint64_t seed, const observers& watch, const std::function<void()>& before_step,
                    bool keeps_states = true) {
  const auto wanted = job.by_reference(3);
  simulated_training run(seed, job.tree(), job.first_state(), nullptr, watch);
  for (uint64_t update = 0; update < 3; ++update) {
    run.tracker().train(keeps_states || update == 2);
    const auto report = run.run(before_step);
    REQUIRE(report);
    CHECK(report->error() == "");
    CHECK(report->loss() / double(report->targets()) == wanted.figures[update].loss);
  }
  CHECK(difference(run.tracker().state(), wanted.states.back()) == "");
  CHECK(run.close() == 0);
}

} // namespace

TEST_CASE("the gradient of a copy that comes twice is added once", "[training]") {
  const auto job = make_tiny_training_job();
  uint64_t repeated = 0;
  observers watch;
  watch.traffic = [&](message_record& here) {
    if (here.facts.kind != message_kind::copy_gradient) return fate::pass;
    ++repeated;
    return fate::duplicate;
  };
  for (const auto seed : seeds(5)) {
    INFO("TROUPE_SEED=" << seed);
    check_training(job, seed, watch, [] {});
  }
  CHECK(repeated > 0);
}

TEST_CASE("an owner that gets copies before the step begins does not take part with an old state", "[training]") {
  const auto job = make_tiny_training_job();
  const std::string head = "/replica/0/layer/0/head/0", shard = "/replica/0/layer/1/shard/0";
  for (const auto seed : seeds(5)) {
    INFO("TROUPE_SEED=" << seed);
    holding begin, state;
    uint64_t attempt = 0, steps = 0;
    enum { all_is_well, ended, begin_is_held, copy_came, state_is_held } phase = all_is_well;
    caf::strong_actor_ptr victim;
    observers watch;
    watch.traffic = [&](message_record& here) {
      if (here.facts.kind == message_kind::update_weights) attempt = here.facts.step.step;
      if (here.to.path == shard && phase == all_is_well) victim = here.to.actor.lock();
      if (here.to.path != head) return fate::pass;
      // The step begins for this head after the copies have come, and its state comes later still. Once.
      if (here.facts.kind == message_kind::begin_step && phase == ended &&
          here.element->content().get_as<v1::BeginStep>(0).update() == 0) {
        begin.take(here);
        phase = begin_is_held;
      } else if (here.facts.kind == message_kind::copy_values && phase == begin_is_held) {
        phase = copy_came;
      } else if (here.facts.kind == message_kind::parameter_state && phase == copy_came) {
        state.take(here);
        phase = state_is_held;
      }
      return fate::pass;
    };
    // A shard ends after an update whose states were not kept: all go back to an older one.
    check_training(
      job, seed, watch,
      [&] {
        if (phase == all_is_well && attempt >= 2) {
          victim->enqueue(nullptr, caf::make_message_id(),
                          caf::make_message(caf::exit_msg{victim->address(), caf::exit_reason::kill}), nullptr);
          victim = nullptr;
          phase = ended;
        }
        if (phase == copy_came) begin.release();
        if (phase == state_is_held && ++steps == 300) state.release();
      },
      false);
    CHECK(phase == state_is_held);
  }
}

TEST_CASE("gradients of norms are added in the order of micro-batches, whichever answer comes first", "[training]") {
  auto job = make_tiny_training_job();
  job.batches.micro_batches = 2;
  const std::string stage = GENERATE("/replica/0/layer/0", "/replica/0/layer/1", "/replica/0/output");
  const auto round = GENERATE(v1::PROJECTION_FEED_FORWARD_INNER, v1::PROJECTION_UNSPECIFIED, v1::PROJECTION_LOGITS);
  if ((stage == "/replica/0/output") != (round == v1::PROJECTION_LOGITS)) return;
  INFO(stage << ", " << v1::Projection_Name(round));
  for (const auto seed : seeds(3)) {
    INFO("TROUPE_SEED=" << seed);
    uint64_t attempt = 0; // In which messages are held back: the first.
    holding answers, follow_up;
    bool first_went_on = false;
    uint32_t answers_to_second = 0;
    observers watch;
    watch.traffic = [&](message_record& here) {
      const auto& content = here.element->content();
      const bool is_from = here.from && here.from->path == stage, is_to = here.to.path == stage;
      bool is_answer = false; // To one of the two micro-batches, in this round.
      uint32_t micro_batch = 0;
      std::optional<uint32_t> goes_on; // Which micro-batch has been through the norm.
      if (is_to && here.facts.kind == message_kind::shard_pass_result) {
        const auto& answer = content.get_as<v1::ShardPassResult>(0);
        is_answer = answer.backward() && answer.projection() == round;
        micro_batch = answer.micro_batch();
      } else if (is_to && here.facts.kind == message_kind::head_pass_result) {
        const auto& answer = content.get_as<v1::HeadPassResult>(0);
        is_answer = answer.backward() && round == v1::PROJECTION_UNSPECIFIED;
        micro_batch = answer.micro_batch();
      } else if (is_from && here.facts.kind == message_kind::backward_states && round != v1::PROJECTION_FEED_FORWARD_INNER) {
        goes_on = content.get_as<v1::BackwardStates>(0).micro_batch();
      } else if (is_from && here.facts.kind == message_kind::shard_pass && round == v1::PROJECTION_FEED_FORWARD_INNER) {
        const auto& pass = content.get_as<v1::ShardPass>(0);
        if (pass.backward() && pass.projection() == v1::PROJECTION_ATTENTION_OUTPUT) goes_on = pass.micro_batch();
      }
      if (is_answer && attempt == 0) attempt = here.facts.step.step;
      if (here.facts.step.step != attempt) return fate::pass;
      first_went_on = first_went_on || goes_on == 0u;
      if (is_answer && micro_batch == 1) ++answers_to_second;
      else if (is_answer) answers.take(here); // The answers to the first micro-batch come after those to the second;
      else if (goes_on == 1u && !first_went_on) follow_up.take(here); // all else comes in order.
      return fate::pass;
    };
    check_training(job, seed, watch, [&] {
      if (answers_to_second == 2) answers.release(); // Of both heads, or both shards.
      if (first_went_on) follow_up.release();
    });
    CHECK(answers_to_second == 2);
    CHECK(first_went_on);
  }
}
