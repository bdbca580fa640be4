// Messages of a training step that come late, twice, or after others that were sent later: each of these made wrong weights once, and
// was found by simulation.
#include "actors/testing/simulated_training.hpp"
#include "actors/testing/training_job.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Messages that are held back until so many steps have passed.
class holding {
public:
  /// True: it is held back.
  bool take(message_record& here, uint64_t steps) {
    held_.push_back({now_ + steps, here.to.actor.lock(), std::move(here.element)});
    return true;
  }
  void before_step() {
    ++now_;
    for (size_t i = 0; i < held_.size();)
      if (held_[i].due > now_) {
        ++i;
      } else {
        auto one = std::move(held_[i]);
        held_.erase(held_.begin() + ptrdiff_t(i));
        one.to->enqueue(std::move(one.element), nullptr);
      }
  }

private:
  struct held_message {
    uint64_t due;
    caf::strong_actor_ptr to;
    caf::mailbox_element_ptr element;
  };
  std::vector<held_message> held_;
  uint64_t now_ = 0;
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
  const std::string head = "/replica/0/layer/0/head/0";
  for (const auto seed : seeds(5)) {
    INFO("TROUPE_SEED=" << seed);
    holding held;
    uint64_t steps_of_the_trainer = 0;
    bool crashed = false;
    caf::strong_actor_ptr victim;
    observers watch;
    watch.traffic = [&](message_record& here) {
      if (here.facts.kind == message_kind::update_weights) steps_of_the_trainer = here.facts.step.step;
      if (here.to.path == "/replica/0/layer/1/shard/0") victim = here.to.actor.lock();
      // The step begins late for this head, and its state comes later still.
      if (here.to.path == head && here.facts.kind == message_kind::begin_step) held.take(here, 60);
      else if (here.to.path == head && here.facts.kind == message_kind::parameter_state) held.take(here, 600);
      return fate::pass;
    };
    // A shard ends after an update whose states were not kept: all go back to an older one.
    check_training(
      job, seed, watch,
      [&] {
        held.before_step();
        if (crashed || steps_of_the_trainer < 2 || !victim) return;
        crashed = true;
        victim->enqueue(nullptr, caf::make_message_id(),
                        caf::make_message(caf::exit_msg{victim->address(), caf::exit_reason::kill}), nullptr);
        victim = nullptr;
      },
      false);
    victim = nullptr;
    CHECK(crashed);
  }
}

TEST_CASE("gradients of norms are added in the order of micro-batches, whichever answer comes first", "[training]") {
  const auto job = make_tiny_training_job();
  const std::string to = GENERATE("/replica/0/layer/0", "/replica/0/layer/1", "/replica/0/output");
  const auto projection = GENERATE(v1::PROJECTION_FEED_FORWARD_INNER, v1::PROJECTION_UNSPECIFIED, v1::PROJECTION_LOGITS);
  INFO(to << ", " << v1::Projection_Name(projection));
  for (const auto seed : seeds(3)) {
    INFO("TROUPE_SEED=" << seed);
    holding held;
    std::set<uint64_t> attempts; // In which something was held back: only in the first.
    observers watch;
    watch.traffic = [&](message_record& here) {
      if (here.to.path != to) return fate::pass;
      bool is_it = false;
      const auto& content = here.element->content();
      if (here.facts.kind == message_kind::shard_pass_result) {
        const auto& answer = content.get_as<v1::ShardPassResult>(0);
        is_it = answer.backward() && answer.micro_batch() == 0 && answer.projection() == projection;
      } else if (here.facts.kind == message_kind::head_pass_result) {
        const auto& answer = content.get_as<v1::HeadPassResult>(0);
        is_it = answer.backward() && answer.micro_batch() == 0 && projection == v1::PROJECTION_UNSPECIFIED;
      }
      if (!is_it || (!attempts.empty() && !attempts.contains(here.facts.step.step))) return fate::pass;
      attempts.insert(here.facts.step.step);
      held.take(here, 150);
      return fate::pass;
    };
    check_training(job, seed, watch, [&] { held.before_step(); });
    if ((to == "/replica/0/output") == (projection == v1::PROJECTION_LOGITS)) CHECK(!attempts.empty());
  }
}
