// Goal: requests that wait are records and no actors, and survive whatever ends as those that run do. Method: a simulated troupe that
// runs two requests at once, and many more that wait.
#include "actors/simulated_requests.hpp"

#include <algorithm>
#include <memory>

namespace troupe {

using namespace testing;

namespace {

troupe_config two_at_once() {
  auto config = small_troupe();
  config.sequences_max = 2;
  return config;
}

using paths::is_sequence;

size_t sequences_alive(simulated_troupe& troupe) {
  size_t alive = 0;
  for (const auto& [path, who] : troupe.newest) alive += is_sequence(path) && troupe.find_record(path)->alive;
  return alive;
}

size_t sequences_started(const simulated_troupe& troupe) {
  return size_t(std::count_if(troupe.newest.begin(), troupe.newest.end(), [](const auto& one) { return is_sequence(one.first); }));
}

/// The three requests again and again.
void submit_many(simulated_troupe& troupe, size_t count) {
  const auto requests = three_requests();
  for (size_t i = 0; i < count; ++i) troupe.tracker().submit(requests[i % requests.size()]);
}

void check_many(const simulated_troupe& troupe, size_t count) {
  REQUIRE(troupe.outcomes.size() == count);
  size_t i = 0;
  for (const auto& [id, out] : troupe.outcomes) {
    INFO("request " << id);
    REQUIRE(difference(out, wanted()[i++ % wanted().size()], true) == "");
  }
}

} // namespace

TEST_CASE("no more sequences are alive than may run, and the requests that wait get the same results", "[waiting]") {
  for (const uint64_t seed : seeds(20)) {
    INFO("TROUPE_SEED=" << seed);
    simulated_troupe troupe(seed, two_at_once());
    submit_many(troupe, 30);
    size_t most = 0;
    REQUIRE(troupe.run([&] { most = std::max(most, sequences_alive(troupe)); }));
    CHECK(most == 2);
    CHECK(troupe.tracker().resubmitted() == 0);
    check_many(troupe, 30);
    CHECK(troupe.close() == 0);
  }
}

TEST_CASE("requests that wait finish, whatever is killed meanwhile", "[waiting]") {
  for (const uint64_t seed : seeds(60)) {
    INFO("TROUPE_SEED=" << seed);
    simulated_troupe troupe(seed, two_at_once());
    submit_many(troupe, 20);
    const std::vector<std::string> victims{paths::sequences, paths::scheduler, paths::runtime, paths::directory, "a sequence"};
    int kills = 4;
    REQUIRE(troupe.run([&] {
      if (kills == 0 || troupe.sim.draw(120) != 0) return;
      --kills;
      auto path = victims[troupe.sim.draw(victims.size())];
      for (const auto& [each, who] : troupe.newest)
        if (path == victims.back() && is_sequence(each) && who.lock()) path = each;
      troupe.kill(troupe.find(path), troupe.sim.draw(2) == 0);
    }));
    check_many(troupe, 20);
    CHECK(troupe.close() == 0);
  }
}

TEST_CASE("a request that is cancelled while it waits ends at once, and no sequence is started for it", "[waiting]") {
  for (const uint64_t seed : seeds(20)) {
    INFO("TROUPE_SEED=" << seed);
    simulated_troupe troupe(seed, two_at_once());
    submit_many(troupe, 12);
    for (uint64_t id = 4; id <= 12; ++id) troupe.tracker().cancel(id); // Before anything was sent,
    bool is_cancelled = false;
    REQUIRE(troupe.run([&] { // and while it waits.
      if (is_cancelled || sequences_alive(troupe) < 2) return;
      is_cancelled = true;
      troupe.tracker().cancel(3);
    }));
    REQUIRE(is_cancelled);
    for (uint64_t id = 3; id <= 12; ++id) {
      CHECK(troupe.outcomes[id].end == "cancelled");
      CHECK(troupe.outcomes[id].tokens.empty());
    }
    for (uint64_t id = 1; id <= 2; ++id) CHECK(difference(troupe.outcomes[id], wanted()[id - 1], true) == "");
    CHECK(sequences_started(troupe) == 2);
    CHECK(troupe.close() == 0);
  }
}

TEST_CASE("what waits for a client that has ended is dropped", "[waiting]") {
  struct open_troupe : simulated_troupe {
    using simulated_troupe::simulated_troupe;
    using simulated_troupe::root;
  };
  for (const uint64_t seed : seeds(20)) {
    INFO("TROUPE_SEED=" << seed);
    open_troupe troupe(seed, two_at_once());
    auto other = std::make_unique<request_tracker>(troupe.sim.system(), troupe.root());
    submit_many(troupe, 3);
    REQUIRE(troupe.run([&] {
      if (other->pending_count() == 0 && sequences_alive(troupe) == 2) // The first client's two.
        for (int i = 0; i < 30; ++i) other->submit(three_requests()[0]);
      while (other->receive(std::chrono::milliseconds(0))) {}
    }));
    REQUIRE(other->pending_count() > 10);
    const auto before = sequences_started(troupe);
    other.reset();
    REQUIRE(troupe.sim.run_to_idle());
    CHECK(sequences_started(troupe) <= before + 2); // Those in whose place others have begun before the news came.
    CHECK(sequences_alive(troupe) == 0);
    CHECK(troupe.close() == 0);
  }
}

TEST_CASE("requests beyond what may wait are refused; one that was admitted is not, when it is sent again", "[waiting]") {
  for (const uint64_t seed : seeds(20)) {
    INFO("TROUPE_SEED=" << seed);
    auto config = two_at_once();
    config.waiting_bytes_max = 4000; // For some of ten.
    simulated_troupe troupe(seed, config);
    submit_many(troupe, 12);
    const auto refused = [&] {
      return std::count_if(troupe.outcomes.begin(), troupe.outcomes.end(),
                           [](const auto& one) { return one.second.error.find("too many requests") != std::string::npos; });
    };
    int64_t before = 0;
    REQUIRE(troupe.run([&] {
      if (before > 0 || troupe.outcomes[1].tokens.size() < 4) return;
      before = refused(); // Of all, since they were asked for before the first token came.
      troupe.kill(troupe.find(paths::sequences), true);
    }));
    CHECK(before > 0);
    CHECK(before < 10);
    CHECK(refused() == before);
    size_t i = 0;
    int64_t served = 0;
    for (const auto& [id, out] : troupe.outcomes) served += difference(out, wanted()[i++ % 3], true).empty();
    CHECK(served + refused() == 12);
    CHECK(troupe.close() == 0);
  }
}

} // namespace troupe
