#include "support/catch.hpp"
#include "actors/supervision/supervision_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

using strings = std::vector<std::string>;

v1::Subscribe request_for(std::initializer_list<std::string> paths) {
  v1::Subscribe request;
  for (const auto& path : paths)
    request.add_paths(path);
  return request;
}

struct received {
  strings news; // "path:restarts"
  std::vector<caf::strong_actor_ptr> actors;
};

// The log belongs to the test and exists longer than the actor.
subscriber_actor spawn_subscriber(stage& st, received& log) {
  return st.sim.system().spawn([&log](subscriber_actor::pointer) -> subscriber_actor::behavior_type {
    return {[&log](const v1::ActorStarted& news, const caf::strong_actor_ptr& actor) {
      log.news.push_back(news.path() + ":" + std::to_string(news.restarts()));
      log.actors.push_back(actor);
    }};
  });
}

void subscribe(stage& st, const subscriber_actor& subscriber, std::initializer_list<std::string> paths) {
  caf::anon_send(st.directory, request_for(paths), caf::actor_cast<caf::strong_actor_ptr>(subscriber));
  st.sim.run_now();
}

} // namespace

TEST_CASE("a subscriber gets the present actors at once, and every replacement, of its own paths only",
          "[directory]") {
  received log;
  stage st;
  auto subscriber = spawn_subscriber(st, log);
  subscribe(st, subscriber, {"/s/a", "/s/later"});
  CHECK(log.news.empty());
  st.supervise({}, {st.obedient("/s/a"), st.obedient("/s/b")});
  CHECK(log.news == strings{"/s/a:0"});
  st.tell("/s/b", throw_atom::value);
  st.tell("/s/a", throw_atom::value);
  CHECK(log.news == strings{"/s/a:0", "/s/a:1"});
  CHECK(log.actors[0] != log.actors[1]);
  subscribe(st, subscriber, {"/s/b"});
  CHECK(log.news.back() == "/s/b:1");
  log.actors.clear();
}

TEST_CASE("subscribing twice gives the present actor once more, and each replacement once", "[directory]") {
  received log;
  stage st;
  auto subscriber = spawn_subscriber(st, log);
  st.supervise({}, {st.obedient("/s/a")});
  subscribe(st, subscriber, {"/s/a"});
  subscribe(st, subscriber, {"/s/a"});
  CHECK(log.news == strings{"/s/a:0", "/s/a:0"});
  st.kill("/s/a");
  CHECK(log.news == strings{"/s/a:0", "/s/a:0", "/s/a:1"});
  log.actors.clear();
}

TEST_CASE("the actor published last at a path counts, and when it ends the one published before it", "[directory]") {
  received log;
  stage st;
  auto subscriber = spawn_subscriber(st, log);
  subscribe(st, subscriber, {"/s/a"});
  st.supervise({}, {st.obedient("/s/a")});
  st.supervise({}, {st.obedient("/s/a")}); // As by a supervisor that was given up, but has not ended yet.
  REQUIRE(log.actors.size() == 2);
  CHECK(st.paths() == strings{"/s/a"});
  caf::anon_send_exit(st.supervisors.back(), caf::exit_reason::kill);
  st.sim.run_now();
  REQUIRE(log.actors.size() == 3);
  CHECK(log.actors[2] == log.actors[0]);
  CHECK(st.paths() == strings{"/s/a"});
  log.actors.clear();
}

TEST_CASE("a subscriber is not kept alive and is forgotten when it ends", "[directory]") {
  received log;
  stage st;
  const auto before = st.sim.actors_running();
  auto subscriber = spawn_subscriber(st, log);
  subscribe(st, subscriber, {"/s/a"});
  subscriber = nullptr; // The last handle: it ends as unreachable.
  st.sim.run_now();
  CHECK(st.sim.actors_running() == before);
  st.supervise({}, {st.obedient("/s/a")});
  CHECK(log.news.empty());
}

TEST_CASE("the list of actors is sorted, counts restarts and tells a replacement from the actor before it", "[directory]") {
  stage st;
  st.supervise({}, {st.obedient("/s/b"), st.obedient("/s/a")});
  const auto before = st.list();
  st.tell("/s/b", throw_atom::value);
  const auto list = st.list();
  REQUIRE(list.actor_ids_size() == 2);
  CHECK(list.actor_ids(0) == before.actor_ids(0));
  CHECK(list.actor_ids(1) != before.actor_ids(1));
  CHECK(list.actor_ids(1) == st.find("/s/b")->id());
  CHECK(strings(list.paths().begin(), list.paths().end()) == strings{"/s/a", "/s/b"});
  CHECK(list.restarts(0) == 0);
  CHECK(list.restarts(1) == 1);
  CHECK(list.decisions_total() == 1);
}

TEST_CASE("the directory keeps the latest decisions only, and counts all", "[directory]") {
  stage st;
  for (uint64_t i = 0; i < 300; ++i) {
    v1::SupervisorDecision decision;
    decision.set_time_us(i);
    caf::anon_send(st.directory, decision);
  }
  const auto list = st.list();
  CHECK(list.decisions_total() == 300);
  REQUIRE(list.decisions_size() == int{directory_state::decisions_max});
  uint64_t expected = 300 - directory_state::decisions_max;
  // A simulated system keeps the order of messages without a sender.
  for (const auto& decision : list.decisions())
    CHECK(decision.time_us() == expected++);
}

TEST_CASE("messages that make no sense do not end the directory", "[directory]") {
  stage st;
  v1::ActorStarted nobody;
  nobody.set_path("/nobody");
  caf::anon_send(st.directory, nobody, caf::strong_actor_ptr{});
  caf::anon_send(st.directory, v1::Subscribe{}, caf::strong_actor_ptr{});
  caf::anon_send(st.directory, v1::AbandonActor{});
  caf::anon_send(caf::actor_cast<caf::actor>(st.directory), std::string("what?"));
  st.sim.run_now();
  CHECK(st.paths().empty());
}

TEST_CASE("abandoning an unknown path changes nothing", "[directory]") {
  stage st;
  st.supervise({}, {st.obedient("/s/a")});
  st.abandon("/s/nobody");
  CHECK(st.paths() == strings{"/s/a"});
  CHECK(st.list().decisions_total() == 0);
}
