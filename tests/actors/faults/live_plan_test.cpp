// Goal: a fault plan can come and go while an engine runs, and requests under way do not notice.
#include "actors/engine.hpp"
#include "actors/faults/plan.hpp"
#include "model/error.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <functional>
#include <vector>

namespace troupe {
namespace {

using namespace testing;
using namespace std::chrono_literals;

using texts = std::vector<std::vector<uint32_t>>; // Tokens by request.

std::shared_ptr<const v1::FaultPlan> plan_of(const std::string& faults) {
  return std::make_shared<const v1::FaultPlan>(parse_fault_plan("{\"faults\": [" + faults + "]}"));
}

/// Six requests; what `meanwhile` does happens when they have just been sent.
texts run(client& from, const std::function<void()>& meanwhile = [] {}) {
  std::vector<uint64_t> sent;
  for (uint32_t i = 0; i < 6; ++i) {
    generate_request request;
    request.prompt = {1, 2 + i, 3};
    request.tokens_max = 400;
    request.sampling.seed = i;
    request.sampling.temperature = 1;
    request.ignore_end_of_generation = true;
    sent.push_back(from.submit(std::move(request)));
  }
  meanwhile();
  texts all(sent.size());
  while (const auto event = from.next(60s)) {
    if (event->kind == event_kind::finished) CHECK(event->reason == finish_reason::length);
    else all[event->request - sent.front()].push_back(event->token);
  }
  return all;
}

constexpr const char* often = R"({"name": "often", "selector": {"path": "/replica/0/**"}, "effect": {"kill": {}},
                                  "trigger": {"every_messages": 400, "repeat": 50}})";
constexpr const char* later = R"({"name": "later", "selector": {"path": "/replica/0/layer/0"}, "effect": {"throw": {}},
                                  "trigger": {"nth_message": 5}})";

} // namespace

TEST_CASE("a fault plan that comes while requests run, another and none after it: the requests have the same tokens", "[faults]") {
  engine one{open_model(write_tiny_model({.context = 512})), {.threads = 2}};
  auto from = one.connect();
  const auto expected = run(from);
  CHECK(run(from, [&] { one.use_faults(plan_of(often)); }) == expected);
  CHECK(run(from) == expected);
  CHECK(one.fault_log().injections_total() > 0);
  CHECK(run(from, [&] { one.use_faults(plan_of(later)); }) == expected);
  CHECK(run(from) == expected);
  const auto log = one.fault_log();
  REQUIRE(log.injections_size() == 1);
  CHECK(log.injections(0).fault() == "later");
  CHECK(run(from, [&] { one.use_faults(nullptr); }) == expected);
  CHECK(one.fault_log().messages() == 0);
}

TEST_CASE("a plan that cannot be carried out is refused, and the one before it stays", "[faults]") {
  engine one{open_model(write_tiny_model({.context = 512})), {.threads = 2}};
  one.use_faults(plan_of(later));
  CHECK_THROWS_AS(one.use_faults(plan_of(R"({"selector": {"path": "/nowhere"}, "effect": {"kill": {}}})")), input_error);
  CHECK_THROWS_AS(one.use_faults(plan_of(R"({"selector": {"path": "/scheduler"}, "effect": {"clock_jump": {"ms": 5}}})")), input_error);
  auto from = one.connect();
  run(from);
  CHECK(one.fault_log().injections_total() == 1);
}

} // namespace troupe
