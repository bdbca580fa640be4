// When an injection counts as over, and what its time to recover is made of.
#include "actors/faults/fault_journal.hpp"

#include "support/catch.hpp"

using namespace troupe;

namespace {

const std::string head = "/replica/0/layer/0/head/0";

v1::Fault named(const std::string& name) {
  v1::Fault fault;
  fault.set_name(name);
  return fault;
}

} // namespace

TEST_CASE("a step that was under way when an actor was replaced is not its recovery", "[fault_journal]") {
  fault_journal journal;
  journal.actor_started(head, 0, 0);
  journal.rows_were_sent({{1, 0, 4}}, 1);
  journal.injected(named("one"), head, nullptr, 0, true, 2);
  journal.actor_started(head, 0, 3);
  journal.step_came_through(4); // The head had answered before the injection.
  CHECK(!journal.log().injections(0).has_recovered_ms());
  CHECK(journal.log().injections(0).replaced_ms() == 3);
  journal.rows_were_sent({{1, 4, 1}}, 5); // Its caches are missing: this step ends with a fault.
  journal.rows_were_sent({{1, 0, 5}}, 6);
  journal.step_came_through(9);
  CHECK(journal.log().injections(0).recovered_ms() == 9);
  CHECK(journal.log().injections(0).rows_replayed() == 5);
  CHECK(journal.log().injections(0).replay_ms() == 3);
}

TEST_CASE("a replay in several steps is over with the last of them", "[fault_journal]") {
  fault_journal journal;
  journal.actor_started(head, 0, 0);
  journal.rows_were_sent({{1, 0, 8}}, 1);
  journal.injected(named("one"), head, nullptr, 0, true, 2);
  journal.actor_started(head, 0, 3);
  journal.rows_were_sent({{1, 0, 5}}, 4);
  journal.step_came_through(6);
  CHECK(!journal.log().injections(0).has_recovered_ms());
  journal.rows_were_sent({{1, 5, 3}}, 7);
  journal.step_came_through(8);
  CHECK(journal.log().injections(0).recovered_ms() == 8);
  CHECK(journal.log().injections(0).rows_replayed() == 8);
  CHECK(journal.log().injections(0).replay_ms() == 3);
}

TEST_CASE("a sequence has recovered when its own request goes on", "[fault_journal]") {
  fault_journal journal;
  journal.injected(named("one"), "/sequences/7", nullptr, 2, true, 1);
  journal.actor_started("/sequences/9", 2, 2);
  journal.rows_were_sent({{1, 4, 1}}, 3);
  journal.step_came_through(4);
  CHECK(!journal.log().injections(0).has_recovered_ms());
  journal.rows_were_sent({{1, 5, 1}, {2, 0, 6}}, 5);
  journal.step_came_through(6);
  CHECK(journal.log().injections(0).recovered_ms() == 6);
}

TEST_CASE("an injection into a message is over with the next step that comes through", "[fault_journal]") {
  fault_journal journal;
  journal.rows_were_sent({{1, 0, 4}}, 1);
  journal.injected(named("one"), head, nullptr, 0, false, 2);
  journal.step_came_through(4);
  CHECK(journal.log().injections(0).recovered_ms() == 4);
  CHECK(!journal.log().injections(0).has_replaced_ms());
}

TEST_CASE("the journal keeps the actors that live and the latest of those that have ended", "[fault_journal]") {
  fault_journal journal;
  journal.actor_started(head, 0, 0);
  for (uint64_t i = 1; i <= 5000; ++i) {
    const std::string path = "/sequences/" + std::to_string(i);
    CHECK(journal.actor_started(path, i, double(i)) == 0);
    journal.actor_ended(path, 0, "normal", double(i) + 0.5);
    journal.actor_ended(path, 0, "again", double(i) + 0.7);
  }
  CHECK(journal.actor_started(head, 0, 6000) == 1);
  const auto log = journal.log();
  REQUIRE(log.incarnations_size() == 4096);
  CHECK(log.incarnations(0).path() == head);
  CHECK_FALSE(log.incarnations(0).has_ended_ms());
  CHECK(log.incarnations(4094).path() == "/sequences/5000");
  CHECK(log.incarnations(4094).ended_ms() == 5000.5);
  CHECK(log.incarnations(4094).reason() == "normal");
  CHECK(log.incarnations(4095).incarnation() == 1);
  CHECK(log.restarts() == 1);
}
