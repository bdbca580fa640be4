// Goal: in any order of events, with any actors killed and any messages of a step lost or repeated, every request finishes
// with what the reference computes. Method: the real actors in one thread; a seed chooses who runs next and what goes wrong.
// TROUPE_SEED=n runs one seed alone.
#include "simulated_requests.hpp"
#include "support/catch.hpp"
#include "actors/testing/interposer.hpp"

#include <set>

namespace troupe {
namespace {

using namespace testing;

/// Kills up to `strikes` actors at random moments.
struct assassin {
  simulated_troupe& troupe;
  uint64_t strikes;
  std::vector<std::string> struck = {};

  void operator()() {
    if (strikes == 0 || troupe.sim.draw(400) != 0 || troupe.cast.empty()) return;
    --strikes;
    auto it = troupe.cast.begin();
    std::advance(it, int64_t(troupe.sim.draw(troupe.cast.size())));
    struck.push_back(it->first);
    const auto how = troupe.sim.draw(3);
    if (how < 2) return troupe.kill(it->second.lock(), how == 1);
    troupe.abandon(it->first);
  }
};

std::string list_of(const std::vector<std::string>& names) {
  std::string all;
  for (const auto& name : names) all += name + ' ';
  return all;
}

} // namespace

TEST_CASE("in any order of events all requests finish with the reference's bytes", "[simulation]") {
  for (const uint64_t seed : seeds(200)) {
    INFO("TROUPE_SEED=" << seed);
    simulated_troupe troupe(seed, small_troupe());
    submit_all(troupe);
    REQUIRE(troupe.run());
    check_outcomes(troupe.outcomes);
    REQUIRE(troupe.close() == 0);
  }
}

TEST_CASE("the same seed gives the same run, other seeds others", "[simulation]") {
  const auto fingerprint = [](uint64_t seed) {
    simulated_troupe troupe(seed, small_troupe());
    submit_all(troupe);
    assassin between{troupe, 5};
    REQUIRE(troupe.run(std::ref(between)));
    REQUIRE(troupe.close() == 0);
    return troupe.sim.fingerprint();
  };
  std::set<uint64_t> different;
  for (const uint64_t seed : {1, 2, 3, 4, 5}) {
    const auto once = fingerprint(seed);
    CHECK(once == fingerprint(seed));
    different.insert(once);
  }
  CHECK(different.size() == 5);
}

TEST_CASE("whoever is killed whenever, all requests finish with the reference's bytes", "[simulation]") {
  std::map<std::string, int> victims;
  for (const uint64_t seed : seeds(1000)) {
    simulated_troupe troupe(seed, small_troupe());
    troupe.sim.early_timers(2);
    submit_all(troupe);
    assassin between{troupe, 1 + troupe.sim.draw(6)};
    const bool finished = troupe.run(std::ref(between));
    INFO("TROUPE_SEED=" << seed << ", struck: " << list_of(between.struck));
    REQUIRE(finished);
    check_outcomes(troupe.outcomes);
    REQUIRE(troupe.close() == 0);
    for (const auto& name : between.struck) ++victims[name.starts_with("/sequences/") ? "/sequences/*" : name];
  }
  if (seeds(1000).size() > 100) CHECK(victims.size() == 23); // Everybody had a turn.
}

TEST_CASE("messages of a step may be lost or come twice, and actors killed meanwhile", "[simulation]") {
  uint64_t lost = 0, repeated = 0;
  for (const uint64_t seed : seeds(600)) {
    auto config = small_troupe();
    simulated_troupe* home = nullptr; // The hook is used once there is one.
    const auto decide = [&](const std::string& path, const caf::mailbox_element_ptr& element) {
      const auto& content = element->content();
      const bool is_of_a_step = content.match_elements<v1::ForwardStep>() || content.match_elements<v1::HiddenStates>() ||
                                content.match_elements<v1::AttendStep>() || content.match_elements<v1::ProjectStep>() ||
                                content.match_elements<v1::LogitsResult>() || content.match_elements<v1::StepFault>() ||
                                content.match_elements<v1::AppendToken>() || content.match_elements<v1::ReportProgress>() ||
                                content.match_elements<v1::StepProgress>();
      if (!is_of_a_step) return fate::pass;
      const auto number = home->sim.draw(400);
      // A look at hidden states that was missed is not repeated: no result hangs on it.
      const bool may_go = path != paths::scheduler || !content.match_elements<v1::HiddenStates>();
      lost += number == 0 && may_go;
      repeated += number == 1;
      return number == 0 && may_go ? fate::drop : number == 1 ? fate::duplicate : fate::pass;
    };
    config.hook = [&](child_spec& spec) {
      const bool is_other = spec.path.ends_with("supervisor") || spec.path.starts_with(paths::sequences) ||
                            spec.path == paths::directory;
      if (is_other) return;
      spec.start = [&, start = spec.start](caf::scheduled_actor* parent, const std::string& path, const caf::message& args) {
        return interpose(start(parent, path, args),
                                  [&decide, path](const auto& element) { return decide(path, element); });
      };
    };
    simulated_troupe troupe(seed, config);
    home = &troupe;
    submit_all(troupe);
    assassin between{troupe, troupe.sim.draw(4)};
    const bool finished = troupe.run(std::ref(between));
    INFO("TROUPE_SEED=" << seed << ", struck: " << list_of(between.struck));
    REQUIRE(finished);
    check_outcomes(troupe.outcomes);
    REQUIRE(troupe.close() == 0);
  }
  CHECK(lost > 0);
  CHECK(repeated > 0);
}

} // namespace troupe
