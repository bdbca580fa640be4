// Goal: messages that come late, twice, or to an actor that is just stopping end no request before its time. Each case was
// found by `troupe simulate`. Method: a simulated troupe whose messages the test holds back, repeats, or sends at a bad moment.
#include "actors/simulated_requests.hpp"

namespace troupe {

using namespace testing;

TEST_CASE("a late GenerateEnd of an earlier incarnation does not end the request that went on without it", "[late]") {
  for (const uint64_t seed : seeds(20)) {
    INFO("TROUPE_SEED=" << seed);
    caf::mailbox_element_ptr end;
    int requests = 0, tokens = 0;
    bool came_late = false;
    const auto traffic = [&](message_record& here) {
      const auto kind = here.facts.kind;
      if (kind == message_kind::token_event && ++tokens == 4) return fate::drop; // So that the rest is dropped, too.
      if (kind == message_kind::generate_end && requests == 1) end = std::move(here.element);
      if (kind == message_kind::generate_request && ++requests == 2 && end) {
        came_late = true;
        here.from->actor.lock()->enqueue(std::move(end), nullptr); // Before the new sequence is known.
      }
      return fate::pass;
    };
    simulated_troupe troupe(seed, small_troupe(), {traffic});
    const auto request = make_request(2, 9, 12);
    troupe.tracker().submit(request);
    REQUIRE(troupe.run());
    CHECK(came_late);
    CHECK(difference(troupe.outcomes.begin()->second, by_reference(tiny_parts(), request), true) == "");
    CHECK(troupe.close() == 0);
  }
}

TEST_CASE("a request that arrives twice is served once, whichever sequences are killed meanwhile", "[late]") {
  for (const uint64_t seed : seeds(300)) {
    INFO("TROUPE_SEED=" << seed);
    const auto traffic = [](message_record& here) {
      return here.facts.kind == message_kind::generate_request ? fate::duplicate : fate::pass;
    };
    auto config = small_troupe();
    config.sequences_max = 64;
    simulated_troupe troupe(seed, config, {traffic});
    submit_all(troupe);
    int kills = 6;
    REQUIRE(troupe.run([&] {
      if (kills == 0 || troupe.sim.draw(15) != 0) return;
      for (const auto& [path, who] : troupe.newest)
        if (path.starts_with("/sequences/") && who.lock() && troupe.sim.draw(3) == 0) {
          --kills;
          return troupe.kill(who.lock(), true);
        }
    }));
    check_outcomes(troupe.outcomes);
    CHECK(troupe.close() == 0);
  }
}

TEST_CASE("a request is sent once more when it was lost, or the first answer to it", "[late]") {
  for (const std::string lost : {"GenerateRequest", "GenerateQueued", "GenerateEnd"})
    for (const uint64_t seed : seeds(10)) {
      INFO("TROUPE_SEED=" << seed << " " << lost);
      std::map<uint64_t, int> dropped; // Of each request the first.
      const auto traffic = [&](message_record& here) {
        const auto& content = here.element->content();
        if (here.facts.name != lost) return fate::pass;
        if (lost == "GenerateRequest" && dropped[content.get_as<v1::GenerateRequest>(0).request_id()]++ == 0) return fate::drop;
        if (lost == "GenerateQueued" && dropped[content.get_as<v1::GenerateQueued>(0).request_id()]++ == 0) return fate::drop;
        if (lost == "GenerateEnd" && here.from && here.from->path == paths::sequences &&
            dropped[content.get_as<v1::GenerateEnd>(0).request_id()]++ == 0)
          return fate::drop; // A refusal.
        return fate::pass;
      };
      auto config = small_troupe();
      config.sequences_max = 1;
      if (lost == "GenerateEnd") config.waiting_bytes_max = 1;
      simulated_troupe troupe(seed, config, {traffic});
      const auto begin = troupe.sim.now();
      submit_all(troupe);
      REQUIRE(troupe.run());
      CHECK(dropped.size() >= 1);
      CHECK(troupe.sim.now() - begin < std::chrono::seconds(30));
      if (lost != "GenerateEnd") check_outcomes(troupe.outcomes);
      else CHECK(troupe.outcomes.size() == 3); // Refused when asked for once more, or served.
      CHECK(troupe.close() == 0);
    }
}

TEST_CASE("a request that reaches the sequences' supervisor while it stops goes to its successor", "[late]") {
  int met = 0;
  for (const uint64_t seed : seeds(300)) {
    INFO("TROUPE_SEED=" << seed);
    bool stopping = false;
    observers watch;
    watch.traffic = [&](message_record& here) {
      met += stopping && here.facts.kind == message_kind::generate_request;
      return fate::pass;
    };
    watch.started = [&](const actor_record& one) { stopping = stopping && one.path != paths::sequences; };
    simulated_troupe troupe(seed, small_troupe(), watch);
    int stops = 3;
    submit_all(troupe);
    REQUIRE(troupe.run([&] {
      if (stops == 0 || troupe.sim.draw(20) != 0) return;
      const auto target = troupe.find(paths::sequences);
      if (!target || stopping) return;
      --stops;
      stopping = true;
      troupe.crash(target, "told to");
      for (const auto& [path, who] : troupe.newest) // Its client sends that request again: to the supervisor that is there.
        if (path.starts_with("/sequences/") && who.lock()) return troupe.kill(who.lock(), true);
    }));
    check_outcomes(troupe.outcomes);
    CHECK(troupe.close() == 0);
  }
  if (seeds(300).size() > 1) CHECK(met > 0);
}

TEST_CASE("a stage that learns late which actor is the scheduler still sends it its hidden states", "[late]") {
  for (const uint64_t seed : seeds(20)) {
    INFO("TROUPE_SEED=" << seed);
    caf::mailbox_element_ptr held;
    caf::strong_actor_ptr directory;
    int held_back = 0;
    const auto release = [&] {
      if (held) directory->enqueue(std::move(held), nullptr);
    };
    const auto traffic = [&](message_record& here) {
      const auto is_subscription = here.from && here.from->path == paths::embedding(0) && here.facts.name == "Subscribe";
      if (is_subscription && ++held_back == 1) {
        directory = here.to.actor.lock();
        v1::Subscribe next_only;
        next_only.add_paths(paths::layer(0, 0));
        held = std::move(here.element);
        here.element = caf::make_mailbox_element(held->sender, held->mid, held->stages, std::move(next_only),
                                                 caf::strong_actor_ptr(held->content().get_as<caf::strong_actor_ptr>(1)));
      }
      if (here.facts.kind == message_kind::logits_result) release();
      return fate::pass;
    };
    simulated_troupe troupe(seed, small_troupe(), {traffic});
    const auto request = three_requests()[2];
    troupe.tracker().submit(request);
    REQUIRE(troupe.run([&] {
      if (!troupe.sim.can_run()) release();
    }));
    CHECK(held_back == 1);
    CHECK(difference(troupe.outcomes.begin()->second, by_reference(tiny_parts(), request), true) == "");
    CHECK(troupe.close() == 0);
  }
}

} // namespace troupe
