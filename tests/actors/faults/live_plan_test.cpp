// Goal: a fault plan can come and go while an engine runs, and requests under way do not notice.
#include "actors/engine.hpp"
#include "actors/faults/plan.hpp"
#include "model/error.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <map>
#include <vector>

namespace troupe {
namespace {

using namespace testing;
using namespace std::chrono_literals;

using texts = std::map<uint64_t, std::vector<uint32_t>>; // Tokens by request.

std::shared_ptr<const v1::FaultPlan> plan_of(const std::string& faults) {
  return std::make_shared<const v1::FaultPlan>(parse_fault_plan("{\"faults\": [" + faults + "]}"));
}

void submit_all(client& from) {
  for (uint32_t i = 0; i < 6; ++i) {
    generate_request request;
    request.prompt = {1, 2 + i, 3};
    request.tokens_max = 50;
    request.sampling.seed = i;
    request.sampling.temperature = 1;
    request.ignore_end_of_generation = true;
    from.submit(std::move(request));
  }
}

/// Takes events until all requests have finished, or `tokens_max` tokens have come.
void take(client& from, texts& into, size_t tokens_max = size_t(-1)) {
  for (size_t tokens = 0; tokens < tokens_max;) {
    const auto event = from.next(60s);
    if (!event) return;
    if (event->kind == event_kind::finished) {
      CHECK(event->reason == finish_reason::length);
      continue;
    }
    into[event->request].push_back(event->token);
    ++tokens;
  }
}

constexpr const char* often = R"({"name": "often", "selector": {"path": "/replica/0/**"}, "effect": {"kill": {}},
                                  "trigger": {"every_messages": 400, "repeat": 50}})";
constexpr const char* later = R"({"name": "later", "selector": {"path": "/replica/0/layer/0"}, "effect": {"throw": {}},
                                  "trigger": {"nth_message": 5}})";

} // namespace

TEST_CASE("a fault plan that comes while requests run, another and none after it: the requests have the same tokens", "[faults]") {
  engine one{open_model(write_tiny_model({})), {.threads = 2}};
  texts expected;
  {
    auto undisturbed = one.connect();
    submit_all(undisturbed);
    take(undisturbed, expected);
  }
  REQUIRE(expected.size() == 6);
  texts found;
  {
    auto from = one.connect();
    submit_all(from);
    take(from, found, 20);
    one.use_faults(plan_of(often));
    take(from, found, 100);
    CHECK(one.fault_log().injections_total() > 0);
    one.use_faults(plan_of(later));
    take(from, found, 60);
    CHECK(one.fault_log().injections_total() == 1);
    CHECK(one.fault_log().injections(0).fault() == "later");
    one.use_faults(nullptr);
    CHECK(one.fault_log().messages() == 0);
    take(from, found);
  }
  CHECK(found == expected);
  CHECK(one.stop() == 0);
}

TEST_CASE("a plan that cannot be carried out is refused, and the one before it stays", "[faults]") {
  engine one{open_model(write_tiny_model({})), {.threads = 2}};
  one.use_faults(plan_of(later));
  CHECK_THROWS_AS(one.use_faults(plan_of(R"({"selector": {"path": "/nowhere"}, "effect": {"kill": {}}})")), input_error);
  CHECK_THROWS_AS(one.use_faults(plan_of(R"({"selector": {"path": "/scheduler"}, "effect": {"clock_jump": {"ms": 5}}})")), input_error);
  auto from = one.connect();
  submit_all(from);
  texts found;
  take(from, found);
  CHECK(one.fault_log().injections_total() == 1);
}

} // namespace troupe
