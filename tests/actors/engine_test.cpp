// Goal: what an engine tells of its actors.
#include "actors/engine.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

namespace troupe {
namespace {

using namespace std::chrono_literals;

const actor_facts* find(const supervision_facts& facts, const std::string& path) {
  const auto found = std::ranges::find(facts.actors, path, &actor_facts::path);
  return found == facts.actors.end() ? nullptr : &*found;
}

} // namespace

TEST_CASE("an engine tells a replacement from the actor before it, and why that one ended", "[engine]") {
  engine runs{open_model(testing::write_tiny_model({})), {.threads = 1}};
  const std::string head = "/replica/0/layer/0/head/0";
  const auto before = runs.supervision();
  REQUIRE(find(before, head));
  CHECK(find(before, head)->id != 0);
  CHECK(find(before, "/")->id != 0);
  CHECK(find(before, "/directory")->id != 0);
  CHECK(before.decisions_total == 0);
  REQUIRE(runs.kill(head));
  auto after = runs.supervision();
  for (int i = 0; i < 1000 && !(find(after, head) && find(after, head)->restarts == 1); ++i) {
    std::this_thread::sleep_for(10ms);
    after = runs.supervision();
  }
  REQUIRE(find(after, head));
  CHECK(find(after, head)->id != find(before, head)->id);
  CHECK(find(after, head)->restarts == 1);
  CHECK(find(after, "/scheduler")->id == find(before, "/scheduler")->id);
  CHECK(after.decisions_total == 1);
  REQUIRE(after.decisions.size() == 1);
  CHECK(after.decisions[0].child == head);
  CHECK(after.decisions[0].what == supervisor_decision::kind::restart);
  CHECK_THAT(after.decisions[0].reason, ContainsSubstring("kill"));
}

} // namespace troupe
