// Claims: with the checks on, a wrong bit in a weight, in a cache or in logits on their way costs a replay and never changes a
// byte; the scrubber finds every wrong weight and names its owner. Without the checks some bytes do change, so that these
// tests can fail. TROUPE_SEED=n runs one seed alone.
#include "actors/faults/plan.hpp"
#include "actors/simulated_requests.hpp"
#include "actors/supervision/failure.hpp"
#include "model/error.hpp"
#include "model/parts/weights.hpp"
#include "support/catch.hpp"

namespace troupe {
namespace {

using namespace testing;

std::shared_ptr<const model_file> quantised_file() {
  static const auto file = open_model(write_tiny_model({.type = tensor_type::q8_0, .layers = 2, .width = 32, .heads = 4,
                                                        .kv_heads = 2, .head_dim = 8, .feed_forward = 64, .context = 32}));
  return file;
}

/// Every run needs its own: bits of its memory are flipped.
std::shared_ptr<const model_parts> quantised_parts(kept_sums keep) {
  return make_parts(quantised_file(), {.shards = 2, .keep = keep});
}

const std::vector<outcome>& wanted_of_quantised() {
  static const auto outcomes = [] {
    std::vector<outcome> all;
    for (const auto& request : three_requests()) all.push_back(by_reference(quantised_parts(kept_sums::none), request));
    return all;
  }();
  return outcomes;
}

struct disturbed_run {
  size_t differing = 0, replacements = 0;
  int injections = 0;
};

disturbed_run run_with_faults(uint64_t seed, troupe_config config, const std::string& faults) {
  auto plan = parse_fault_plan("{\"faults\": [" + faults + "]}");
  plan.set_seed(seed);
  simulated_troupe troupe(seed, std::move(config), std::make_shared<const v1::FaultPlan>(std::move(plan)));
  submit_all(troupe);
  INFO("TROUPE_SEED=" << seed << " " << faults);
  REQUIRE(troupe.run());
  disturbed_run result;
  result.injections = troupe.fault_log().injections_size();
  for (const auto& [path, starts] : troupe.starts)
    if (path != paths::sequences) result.replacements += starts - 1;
  size_t i = 0;
  for (const auto& [id, out] : troupe.outcomes) result.differing += difference(out, wanted_of_quantised().at(i++), true) != "";
  REQUIRE(i == 3);
  REQUIRE(troupe.close() == 0);
  return result;
}

troupe_config quantised_troupe(kept_sums keep) {
  auto config = small_troupe();
  config.model = quantised_parts(keep);
  return config;
}

std::string fault_at(const std::string& path, const std::string& effect, int nth) {
  return "{\"selector\": {\"path\": \"" + path + "\"}, \"effect\": {\"" + effect +
         "\": {}}, \"trigger\": {\"nth_message\": " + std::to_string(nth) + "}}";
}

const std::string weight_owners[] = {"/replica/0/layer/0/head/1", "/replica/0/layer/1/shard/0", "/replica/0/output/shard/1"};

} // namespace

TEST_CASE("a wrong bit in a weight costs a restart, and no byte, where products are checked", "[simulation][detection]") {
  disturbed_run with, without;
  for (const uint64_t seed : seeds(40))
    for (const auto& path : weight_owners) {
      const auto fault = fault_at(path, "flip_weight_bit", 4);
      const auto checked = run_with_faults(seed, quantised_troupe(kept_sums::columns), fault);
      CHECK(checked.injections == 1);
      with.differing += checked.differing;
      with.replacements += checked.replacements;
      without.differing += run_with_faults(seed, quantised_troupe(kept_sums::none), fault).differing;
    }
  CHECK(with.differing == 0);
  if (seeds(40).size() < 40) return;
  // Not 120: a code that is multiplied by 0 all the time, or that of a row that is padding, changes nothing.
  CHECK(with.replacements >= 100);
  CHECK(without.differing >= 40);
}

TEST_CASE("a wrong bit in a cache costs a replay, and no byte, where caches are verified", "[simulation][detection]") {
  disturbed_run with, without;
  for (const uint64_t seed : seeds(60)) {
    const auto fault = fault_at("/replica/0/layer/1/head/0", "flip_cache_bit", 6);
    auto config = quantised_troupe(kept_sums::none);
    without.differing += run_with_faults(seed, config, fault).differing;
    config.verify_caches = true;
    const auto verified = run_with_faults(seed, std::move(config), fault);
    CHECK(verified.injections == 1);
    with.differing += verified.differing;
    with.replacements += verified.replacements;
  }
  CHECK(with.differing == 0);
  CHECK(with.replacements == 0);
  if (seeds(60).size() == 60) CHECK(without.differing >= 10);
}

TEST_CASE("logits that went wrong between the output and their sequence are run again", "[simulation][detection]") {
  for (const uint64_t seed : seeds(20))
    for (const std::string link :
         {R"("from": "/replica/0/output", "to": "/scheduler")", R"("from": "/scheduler", "to": "/sequences/*")"})
      for (const std::string effect : {"flip_bit", "not_a_number", "infinite", "wrong_shape"}) {
        const auto run =
          run_with_faults(seed, quantised_troupe(kept_sums::none),
                          "{\"selector\": {" + link + ", \"message\": \"LogitsResult\"}, \"effect\": {\"" + effect +
                            "\": {}}, \"trigger\": {\"nth_message\": 3, \"every_messages\": 4, \"repeat\": 2}}");
        CHECK(run.injections >= 1);
        CHECK(run.differing == 0);
        CHECK(run.replacements == 0);
      }
}

TEST_CASE("the scrubber finds a wrong weight, names it, and its owner is restarted with good ones", "[simulation][detection]") {
  for (const uint64_t seed : seeds(30))
    for (const auto& path : weight_owners) {
      auto config = quantised_troupe(kept_sums::words);
      config.scrub_bytes_per_second = 20'000;
      std::string reason;
      observers watch;
      watch.ended = [&](const actor_record& who, const caf::error& why) {
        if (who.path == path) reason = reason_text(why);
      };
      simulated_troupe troupe(seed, std::move(config), watch);
      INFO("TROUPE_SEED=" << seed << " " << path);
      for (int i = 0; i < 2000; ++i) troupe.step();
      REQUIRE(reason == ""); // No false alarm.
      v1::FlipOwnBit order;
      raw_bits bits{seed};
      order.set_draw(bits.below(uint64_t(1) << 40));
      caf::anon_send(caf::actor_cast<caf::actor>(troupe.find(path)), order);
      for (int i = 0; i < 20'000 && reason.empty(); ++i) troupe.step();
      CHECK(reason.find("are not what they were") != std::string::npos);
      for (int i = 0; i < 2000; ++i) troupe.step();
      CHECK(troupe.starts.at(path) == 2); // The new one has good weights: nothing more is found.
      submit_all(troupe);
      REQUIRE(troupe.run());
      size_t i = 0;
      for (const auto& [id, out] : troupe.outcomes) CHECK(difference(out, wanted_of_quantised().at(i++), true) == "");
      REQUIRE(troupe.close() == 0);
    }
}

TEST_CASE("with every check on and nothing wrong, no actor is replaced and nothing is different", "[simulation][detection]") {
  for (const uint64_t seed : seeds(60)) {
    auto config = quantised_troupe(kept_sums::columns);
    config.verify_caches = true;
    config.scrub_bytes_per_second = 1 << 20;
    simulated_troupe troupe(seed, std::move(config));
    submit_all(troupe);
    INFO("TROUPE_SEED=" << seed);
    REQUIRE(troupe.run());
    size_t i = 0;
    for (const auto& [id, out] : troupe.outcomes) CHECK(difference(out, wanted_of_quantised().at(i++), true) == "");
    for (const auto& [path, starts] : troupe.starts)
      if (path != paths::sequences) CHECK(starts == 1);
    CHECK(troupe.statistics().faults() == 0);
    REQUIRE(troupe.close() == 0);
  }
}

TEST_CASE("every wrong bit of a part's weights is found, and repaired by packing them again", "[detection]") {
  const auto parts = quantised_parts(kept_sums::columns);
  const auto& head = parts->layers[1]->heads[0];
  const auto weights = projections_of(*head);
  uint64_t bits = 0;
  for (const auto* one : weights) bits += one->matrix->all_bytes().size() * 8;
  REQUIRE(with_intact_weights(head) == head);
  for (uint64_t bit = 0; bit < bits; ++bit) {
    flip_weight_bit(weights, bit);
    CHECK_THROWS_AS(verify_weights(weights, 0, UINT64_MAX), wrong_bits);
    if (bit % 97 == 0) {
      const auto repaired = with_intact_weights(head);
      CHECK(repaired != head);
      CHECK(verify_weights(projections_of(*repaired), 0, UINT64_MAX) == 0);
      CHECK_THROWS_AS(verify_weights(weights, 0, UINT64_MAX), wrong_bits); // Nothing is written where others may be reading.
    }
    flip_weight_bit(weights, bit);
  }
  CHECK(verify_weights(weights, 0, UINT64_MAX) == 0);
  uint32_t strip = 0, calls = 0; // A piece at a time comes to the same end.
  do ++calls;
  while ((strip = verify_weights(weights, strip, 1)) != 0);
  CHECK(calls == 3); // One strip of each of its three matrices.
}

} // namespace troupe
