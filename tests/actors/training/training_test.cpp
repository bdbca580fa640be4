// Training by actors: the weights equal those of the sequential reference, bit for bit, whatever happens on the way.
#include "actors/faults/injector.hpp"
#include "actors/faults/plan.hpp"
#include "actors/interfaces/paths.hpp"
#include "actors/testing/simulation.hpp"
#include "actors/training/run_tracker.hpp"
#include "training_fixture.hpp"
#include "support/catch.hpp"
#include <caf/all.hpp>

using namespace troupe;
using namespace troupe::testing;

namespace {

tiny_model_options shape_of(const std::string& family) {
  tiny_model_options shape;
  shape.architecture = family;
  shape.layers = 2;
  shape.width = 32;
  shape.heads = 4;
  shape.kv_heads = family == "gpt2" ? 4 : 2;
  shape.head_dim = 8;
  shape.feed_forward = 64;
  shape.context = 16;
  return shape;
}

/// A training run in one thread, in an order that the seed decides.
struct simulated_run {
  simulation sim;
  root_actor root;
  std::unique_ptr<run_tracker> tracker;

  simulated_run(uint64_t seed, const training_job& job, training_tree_config config)
      : sim(seed), root(spawn_training_root(sim.system(), std::move(config))),
        tracker(std::make_unique<run_tracker>(sim.system(), root, job.first_state(), 0)) {}

  /// Until the report of the order is there.
  template <class Between> v1::StepReport finish(Between between) {
    for (size_t i = 0; i < 2'000'000; ++i) {
      if (auto report = tracker->take_report()) return *report;
      between();
      if (!sim.can_run() && tracker->receive(std::chrono::milliseconds(0))) continue;
      const bool moved = sim.step();
      if (moved && sim.draw(8) != 0) continue;
      if (!tracker->receive(std::chrono::milliseconds(0)) && !moved) break;
    }
    FAIL("the step does not end");
    return {};
  }
  v1::StepReport finish() {
    return finish([] {});
  }

  ~simulated_run() {
    tracker.reset();
    caf::anon_send_exit(root, caf::exit_reason::user_shutdown);
    root = nullptr;
    sim.run_to_idle();
    CHECK(sim.actors_running() == 0);
  }
};

} // namespace

TEST_CASE("weights trained by actors equal those of the sequential reference, bit for bit") {
  const std::string family = GENERATE("llama", "gpt2", "qwen2", "qwen3");
  const uint32_t shards = GENERATE(1u, 2u, 3u);
  const uint32_t in_flight = GENERATE(1u, 2u, 4u);
  INFO(family << ", " << shards << " shards, " << in_flight << " in flight");
  training_job job(shape_of(family), shards);
  job.batches.dropped = in_flight == 2 ? 0.2f : 0.0f;
  auto [figures, wanted] = job.by_reference(3);
  auto config = job.tree();
  config.trainer.in_flight_max = in_flight;
  simulated_run run(shards * 10 + in_flight, job, std::move(config));
  for (const auto& expected : figures) {
    run.tracker->train(true);
    const auto report = run.finish();
    REQUIRE(report.error().empty());
    CHECK(report.attempts() == 1);
    CHECK(report.loss() / double(report.targets()) == expected.loss);
    CHECK(report.gradient_norm() == expected.gradient_norm);
    CHECK(report.hits() == expected.hits);
  }
  CHECK(run.tracker->state_update() == 3);
  CHECK(difference(run.tracker->state(), wanted) == "");
}

TEST_CASE("an evaluation gives the reference's loss and leaves the weights as they are") {
  const training_job job(shape_of("llama"), 2);
  v1::BatchName name;
  name.set_validation(true);
  name.set_number(5);
  reference_trainer reference(job.model->all());
  double loss = 0;
  for (const auto& batch : job.batches.get(name)) loss += reference.evaluate(batch, 0.1f).loss;
  simulated_run run(1, job, job.tree());
  run.tracker->evaluate(5);
  CHECK(run.finish().loss() == loss);
  CHECK(run.tracker->update() == 0);
}

TEST_CASE("the attempts of a step include those that ended with their trainer") {
  const training_job job(shape_of("llama"), 2);
  caf::weak_actor_ptr trainer;
  auto config = job.tree();
  config.hook = [&](child_spec& spec) {
    spec.start = [&, start = spec.start](caf::scheduled_actor* parent, const std::string& path, const caf::message& args) {
      auto handle = start(parent, path, args);
      if (path == paths::trainer) trainer = caf::actor_cast<caf::weak_actor_ptr>(handle);
      return handle;
    };
  };
  simulated_run run(1, job, std::move(config));
  run.tracker->train(true);
  CHECK(run.finish().attempts() == 1);
  run.tracker->train(true);
  uint64_t steps = 0;
  const auto report = run.finish([&] {
    const auto handle = trainer.lock();
    if (++steps == 100 && handle) caf::anon_send_exit(handle, caf::exit_reason::kill);
  });
  CHECK(report.error() == "");
  CHECK(report.attempts() == 2);
  run.tracker->train(true);
  CHECK(run.finish().attempts() == 1);
}

TEST_CASE("a batch that gives values that are not finite by itself ends the run with an error that names it") {
  training_job job(shape_of("llama"), 2);
  job.schedule = {schedule_kind::constant, 1e30, 0, 0, 20};
  simulated_run run(1, job, job.tree());
  run.tracker->train(true);
  REQUIRE(run.finish().error() == "");
  run.tracker->train(true);
  const auto report = run.finish();
  CHECK(report.error().find("training batch 1 gave values that are not finite 10 times in a row") == 0);
  CHECK(report.attempts() >= 10); // More where an actor that was blamed was replaced meanwhile.
  CHECK(run.tracker->update() == 1);
}

TEST_CASE("actors that hang, and messages that are lost, late or come twice, change no bit of the weights") {
  const training_job job(shape_of("gpt2"), 2);
  auto [figures, wanted] = job.by_reference(2);
  const char* effect = GENERATE(R"("hang": {})", R"("drop": {})", R"("duplicate": {})", R"("delay": {"ms": 40})", R"("reorder": {})",
                                R"("not_a_number": {})", R"("wrong_shape": {})", R"("throw": {})");
  INFO(effect);
  int injections = 0;
  for (const auto seed : seeds(3)) {
    INFO("TROUPE_SEED=" << seed);
    simulation sim(seed);
    std::string json = R"({"seed": 1, "faults": [{"name": "f", "selector": {"path": "/replica/0/**"}, "trigger": )";
    json += R"({"nth_message": 3, "probability": 0.004, "repeat": 5}, "effect": {)";
    json += effect;
    json += "}}]}";
    auto plan = parse_fault_plan(json);
    plan.set_seed(seed);
    const auto injector = spawn_fault_injector(sim.system(), {std::make_shared<const v1::FaultPlan>(plan), {}});
    auto config = job.tree();
    config.hook = hook_of(injector);
    auto root = spawn_training_root(sim.system(), std::move(config));
    auto tracker = std::make_unique<run_tracker>(sim.system(), root, job.first_state(), 0);
    for (const auto& expected : figures) {
      tracker->train(true);
      std::optional<v1::StepReport> report;
      for (size_t i = 0; i < 2'000'000 && !(report = tracker->take_report()); ++i) {
        if (!sim.can_run() && tracker->receive(std::chrono::milliseconds(0))) continue;
        sim.step();
        tracker->receive(std::chrono::milliseconds(0));
      }
      REQUIRE(report);
      REQUIRE(report->error() == "");
      CHECK(report->loss() / double(report->targets()) == expected.loss);
    }
    CHECK(difference(tracker->state(), wanted) == "");
    {
      caf::scoped_actor self{sim.system()};
      auto question = self->request(injector, caf::infinite, v1::GetFaultLog{});
      sim.run_now();
      question.receive([&](const v1::FaultLog& log) { injections += log.injections_size(); }, [](const caf::error&) {});
    }
    tracker.reset();
    caf::anon_send_exit(root, caf::exit_reason::user_shutdown);
    root = nullptr;
    sim.run_to_idle();
    caf::anon_send_exit(injector, caf::exit_reason::user_shutdown);
    sim.run_to_idle();
  }
  CHECK(injections > 0);
}

TEST_CASE("whichever actor of a training run is killed, the weights are the same bits") {
  const training_job job(shape_of("qwen3"), 2);
  auto [figures, wanted] = job.by_reference(3);
  uint64_t attempts = 0;
  for (const auto seed : seeds(60)) {
    INFO("TROUPE_SEED=" << seed);
    std::map<std::string, caf::weak_actor_ptr> newest;
    auto config = job.tree();
    config.hook = [&](child_spec& spec) {
      spec.start = [&, start = spec.start](caf::scheduled_actor* parent, const std::string& path, const caf::message& args) {
        auto handle = start(parent, path, args);
        newest[path] = caf::actor_cast<caf::weak_actor_ptr>(handle);
        return handle;
      };
    };
    simulated_run run(seed, job, std::move(config));
    const bool snapshots_all = seed % 2 == 0;
    uint32_t kills = 0;
    for (uint64_t update = 0; update < 3; ++update) {
      run.tracker->train(snapshots_all || update == 2);
      uint64_t next_kill = run.sim.draw(400);
      uint64_t steps = 0;
      const auto report = run.finish([&] {
        if (++steps < next_kill || kills >= 4 || newest.empty()) return;
        next_kill = steps + run.sim.draw(600);
        auto victim = newest.begin();
        std::advance(victim, ptrdiff_t(run.sim.draw(newest.size())));
        if (const auto handle = victim->second.lock()) {
          handle->enqueue(nullptr, caf::make_message_id(run.sim.draw(2) == 0 ? caf::message_priority::high : caf::message_priority::normal),
                          caf::make_message(caf::exit_msg{handle->address(), caf::exit_reason::kill}), nullptr);
          ++kills;
        }
      });
      REQUIRE(report.error() == "");
      attempts += report.attempts();
      CHECK(report.loss() / double(report.targets()) == figures[update].loss);
    }
    CHECK(difference(run.tracker->state(), wanted) == "");
  }
  CHECK(attempts > 3 * 60); // Some were done again.
}
