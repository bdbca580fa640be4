// Goal: engines that run one after the other on one thread, as in simulations, have nothing of each other. Their actors, epochs and steps
// have the same numbers, and messages the same memory.
#include "actors/simulated_requests.hpp"

namespace troupe {

using namespace testing;

TEST_CASE("an engine gives what its model gives, whatever another one has computed on this thread", "[one_thread]") {
  const auto parts = make_parts(open_model(write_tiny_model({.type = tensor_type::q8_0})), {.shards = 2, .cached = cache_type::f16});
  auto config = small_troupe();
  config.model = parts;
  for (uint32_t seed = 0; seed < 40; ++seed) {
    INFO("seed " << seed);
    const auto request = make_request(2 * seed, 3, 6);
    simulated_troupe troupe(1, config); // Always the same course.
    troupe.tracker().submit(request);
    REQUIRE(troupe.run());
    REQUIRE(troupe.outcomes.size() == 1);
    CHECK(difference(troupe.outcomes.begin()->second, by_reference(parts, request), true) == "");
    CHECK(troupe.close() == 0);
  }
}

} // namespace troupe
