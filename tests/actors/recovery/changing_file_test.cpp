// Claims: an engine serves on whatever becomes of its model's file, also when actors must be started anew; a matrix that went wrong and
// cannot be loaded again ends every request with an error that names it and the file. (What the parts do: tests/model.)
#include "actors/engine.hpp"
#include "actors/faults/plan.hpp"
#include "actors/simulated_requests.hpp"
#include "model/error.hpp"
#include "support/catch.hpp"
#include <algorithm>
#include <filesystem>

namespace troupe {
namespace {

using namespace testing;

const tiny_model_options tiny_quantised{.type = tensor_type::q8_0, .layers = 2, .width = 32, .heads = 4, .kv_heads = 2, .head_dim = 8,
                                        .feed_forward = 64, .context = 32};

std::shared_ptr<const v1::FaultPlan> plan_of(uint64_t seed, const std::string& faults) {
  auto plan = parse_fault_plan("{\"faults\": [" + faults + "]}");
  plan.set_seed(seed);
  return std::make_shared<const v1::FaultPlan>(std::move(plan));
}

struct shrinking_model {
  std::filesystem::path path = write_tiny_model(tiny_quantised);
  std::shared_ptr<const model_parts> parts = make_parts(open_model(path), {.shards = 2, .keep = kept_sums::columns});
  std::vector<outcome> wanted;

  shrinking_model() {
    for (const auto& request : three_requests()) wanted.push_back(by_reference(parts, request));
    std::filesystem::resize_file(path, 1000);
  }
};

} // namespace

TEST_CASE("an engine whose model's file shrinks while it is loaded is an input error that names the file", "[changing]") {
  const auto path = write_tiny_model(tiny_quantised);
  const auto model = open_model(path);
  std::filesystem::resize_file(path, 1000);
  CHECK_THROWS_AS(engine(model, {.threads = 2}), input_error);
  CHECK_THROWS_WITH(engine(model, {.threads = 2}), ContainsSubstring(path.string() + ": the file was shortened: it has 1000 bytes now"));
}

TEST_CASE("actors that end are started anew, and every byte comes, although the model's file has shrunk", "[simulation][changing]") {
  const shrinking_model model;
  for (const uint64_t seed : seeds(10)) {
    auto config = small_troupe();
    config.model = model.parts;
    simulated_troupe troupe(seed, std::move(config), plan_of(seed, R"({"selector": {"path": "/replica/0/**"}, "effect": {"kill": {}},
                                                                      "trigger": {"every_messages": 40, "repeat": 5}})"));
    submit_all(troupe);
    INFO("TROUPE_SEED=" << seed);
    REQUIRE(troupe.run());
    CHECK(troupe.fault_log().injections_size() > 0);
    size_t i = 0;
    for (const auto& [id, out] : troupe.outcomes) CHECK(difference(out, model.wanted.at(i++), true) == "");
    REQUIRE(troupe.close() == 0);
  }
}

TEST_CASE("a wrong weight that cannot be loaded again ends every request with an error that names it and the file", "[simulation][changing]") {
  for (const uint64_t seed : seeds(5)) {
    const shrinking_model model;
    auto config = small_troupe();
    config.model = model.parts;
    simulated_troupe troupe(seed, std::move(config),
                            plan_of(seed, R"({"selector": {"path": "/replica/0/layer/1/shard/0"}, "effect": {"flip_weight_bit": {}},
                                              "trigger": {"nth_message": 2}})"));
    submit_all(troupe);
    INFO("TROUPE_SEED=" << seed);
    REQUIRE(troupe.run());
    REQUIRE(troupe.outcomes.size() == 3);
    size_t i = 0, failed = 0;
    for (const auto& [id, out] : troupe.outcomes) {
      const auto& wanted = model.wanted.at(i++);
      if (out.end != "error") {
        CHECK(difference(out, wanted, true) == "");
        continue;
      }
      REQUIRE(out.tokens.size() <= wanted.tokens.size()); // What has come is right all the same.
      CHECK(std::equal(out.tokens.begin(), out.tokens.end(), wanted.tokens.begin()));
      ++failed;
      INFO(out.error);
      CHECK(out.error.starts_with("the engine has stopped: /replica/0/layer/1/supervisor: "));
      CHECK_THAT(out.error, ContainsSubstring("the weights of blk.1."));
      CHECK_THAT(out.error, ContainsSubstring(model.path.string() + ": the file was shortened: it has 1000 bytes now"));
    }
    CHECK(failed > 0);
    REQUIRE(troupe.close() == 0);
  }
}

} // namespace troupe
