// Training by actors: the weights equal those of the sequential reference, bit for bit, whatever happens on the way.
#include "actors/faults/plan.hpp"
#include "actors/interfaces/paths.hpp"
#include "actors/testing/simulated_training.hpp"
#include "actors/testing/training_job.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"

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

training_job job_of(const std::string& family, uint32_t shards = 2) {
  return training_job(open_model(write_tiny_model(shape_of(family))), shards);
}

/// The report of the order that the run's client has given.
v1::StepReport finish(simulated_training& run) {
  const auto report = run.run();
  REQUIRE(report);
  return *report;
}

} // namespace

TEST_CASE("weights trained by actors equal those of the sequential reference, bit for bit") {
  const std::string family = GENERATE("llama", "gpt2", "qwen2", "qwen3");
  const uint32_t shards = GENERATE(1u, 2u, 3u);
  const uint32_t in_flight = GENERATE(1u, 2u, 4u);
  INFO(family << ", " << shards << " shards, " << in_flight << " in flight");
  training_job job = job_of(family, shards);
  job.batches.dropped = in_flight == 2 ? 0.2f : 0.0f;
  const auto wanted = job.by_reference(3);
  auto config = job.tree();
  config.trainer.in_flight_max = in_flight;
  simulated_training run(shards * 10 + in_flight, std::move(config), job.first_state());
  for (const auto& expected : wanted.figures) {
    run.tracker().train(true);
    const auto report = finish(run);
    REQUIRE(report.error().empty());
    CHECK(report.attempts() == 1);
    CHECK(report.loss() / double(report.targets()) == expected.loss);
    CHECK(report.gradient_norm() == expected.gradient_norm);
    CHECK(report.hits() == expected.hits);
  }
  CHECK(run.tracker().state_update() == 3);
  CHECK(difference(run.tracker().state(), wanted.states.back()) == "");
  CHECK(run.close() == 0);
}

TEST_CASE("weights of models with an encoder equal those of the sequential reference, bit for bit") {
  const auto [what, make_job] = GENERATE(table<const char*, training_job (*)(uint32_t)>({{"encoder-decoder", make_tiny_translation_job},
                                                                                        {"classifier", make_tiny_classification_job},
                                                                                        {"images", make_tiny_image_job}}));
  const uint32_t shards = GENERATE(1u, 2u, 3u);
  INFO(what << ", " << shards << " shards");
  const training_job job = make_job(shards);
  const auto wanted = job.by_reference(3);
  auto config = job.tree();
  config.trainer.in_flight_max = shards;
  simulated_training run(shards, std::move(config), job.first_state());
  for (const auto& expected : wanted.figures) {
    run.tracker().train(true);
    const auto report = finish(run);
    REQUIRE(report.error().empty());
    CHECK(report.attempts() == 1);
    CHECK(report.loss() / double(report.targets()) == expected.loss);
    CHECK(report.gradient_norm() == expected.gradient_norm);
    CHECK(report.hits() == expected.hits);
    run.tracker().evaluate(report.update() - 1);
    CHECK(finish(run).loss() == wanted.evaluations[report.update() - 1]);
  }
  CHECK(difference(run.tracker().state(), wanted.states.back()) == "");
  CHECK(run.close() == 0);
}

TEST_CASE("an evaluation gives the reference's loss and leaves the weights as they are") {
  const training_job job = job_of("llama");
  v1::BatchName name;
  name.set_validation(true);
  name.set_number(5);
  reference_trainer reference(job.model->all());
  double loss = 0;
  for (const auto& batch : job.batches.get(name)) loss += reference.evaluate(batch, 0.1f).loss;
  simulated_training run(1, job.tree(), job.first_state());
  run.tracker().evaluate(5);
  CHECK(finish(run).loss() == loss);
  CHECK(run.tracker().update() == 0);
}

TEST_CASE("the attempts of a step include those that ended with their trainer") {
  const training_job job = job_of("llama");
  simulated_training run(1, job.tree(), job.first_state());
  run.tracker().train(true);
  CHECK(finish(run).attempts() == 1);
  run.tracker().train(true);
  uint64_t steps = 0;
  const auto report = run.run([&] {
    if (++steps == 100) run.kill(run.find(paths::trainer), false);
  });
  REQUIRE(report);
  CHECK(report->error() == "");
  CHECK(report->attempts() == 2);
  run.tracker().train(true);
  CHECK(finish(run).attempts() == 1);
}

TEST_CASE("a batch that gives values that are not finite by itself ends the run with an error that names it") {
  training_job job = job_of("llama");
  job.schedule = {schedule_kind::constant, 1e30, 0, 0, 20};
  simulated_training run(1, job.tree(), job.first_state());
  run.tracker().train(true);
  REQUIRE(finish(run).error() == "");
  run.tracker().train(true);
  const auto report = finish(run);
  CHECK(report.error().find("training batch 1 gave values that are not finite 10 times in a row") == 0);
  CHECK(report.attempts() >= 10); // More where an actor that was blamed was replaced meanwhile.
  CHECK(run.tracker().update() == 1);
}

TEST_CASE("actors that hang, and messages that are lost, late or come twice, change no bit of the weights") {
  const training_job job = job_of("gpt2");
  const auto wanted = job.by_reference(2);
  const char* effect = GENERATE(R"("hang": {})", R"("drop": {})", R"("duplicate": {})", R"("delay": {"ms": 40})", R"("reorder": {})",
                                R"("not_a_number": {})", R"("wrong_shape": {})", R"("throw": {})");
  INFO(effect);
  int injections = 0;
  for (const auto seed : seeds(3)) {
    INFO("TROUPE_SEED=" << seed);
    std::string json = R"({"seed": 1, "faults": [{"name": "f", "selector": {"path": "/replica/0/**"}, "trigger": )";
    json += R"({"nth_message": 3, "probability": 0.004, "repeat": 5}, "effect": {)";
    json += effect;
    json += "}}]}";
    auto plan = parse_fault_plan(json);
    plan.set_seed(seed);
    simulated_training run(seed, job.tree(), job.first_state(), std::make_shared<const v1::FaultPlan>(plan));
    for (const auto& expected : wanted.figures) {
      run.tracker().train(true);
      const auto report = finish(run);
      REQUIRE(report.error() == "");
      CHECK(report.loss() / double(report.targets()) == expected.loss);
    }
    CHECK(difference(run.tracker().state(), wanted.states.back()) == "");
    injections += run.fault_log().injections_size();
    CHECK(run.close() == 0);
  }
  CHECK(injections > 0);
}

TEST_CASE("whichever actor of a training run is killed, the weights are the same bits") {
  const training_job job = job_of("qwen3");
  const auto wanted = job.by_reference(3);
  uint64_t attempts = 0;
  for (const auto seed : seeds(60)) {
    INFO("TROUPE_SEED=" << seed);
    simulated_training run(seed, job.tree(), job.first_state());
    const bool snapshots_all = seed % 2 == 0;
    uint32_t kills = 0;
    for (uint64_t update = 0; update < 3; ++update) {
      run.tracker().train(snapshots_all || update == 2);
      uint64_t next_kill = run.sim.draw(400);
      uint64_t steps = 0;
      const auto report = run.run([&] {
        if (++steps < next_kill || kills >= 4 || run.newest.empty()) return;
        next_kill = steps + run.sim.draw(600);
        auto victim = run.newest.begin();
        std::advance(victim, ptrdiff_t(run.sim.draw(run.newest.size())));
        if (const auto handle = victim->second.lock()) {
          run.kill(handle, run.sim.draw(2) == 0);
          ++kills;
        }
      });
      REQUIRE(report);
      REQUIRE(report->error() == "");
      attempts += report->attempts();
      CHECK(report->loss() / double(report->targets()) == wanted.figures[update].loss);
    }
    CHECK(difference(run.tracker().state(), wanted.states.back()) == "");
    CHECK(run.close() == 0);
  }
  CHECK(attempts > 3 * 60); // Some were done again.
}
