// Goal: in any order of events, with any actors killed and any messages of a step lost or repeated, every request finishes
// with what the reference computes. Method: the real actors in one thread; a seed chooses which actor runs next and what goes
// wrong. TROUPE_SEED=n runs one seed alone.
#include "actors/simulated_requests.hpp"
#include "actors/testing/interposer.hpp"
#include "support/catch.hpp"

#include <set>

namespace troupe {
namespace {

using namespace testing;

/// Kills or abandons up to `left` actors at random moments.
struct random_kills {
  simulated_troupe& troupe;
  uint64_t left;
  std::vector<std::string> targets = {};

  void operator()() {
    if (left == 0 || troupe.sim.draw(400) != 0 || troupe.newest.empty()) return;
    --left;
    auto it = troupe.newest.begin();
    std::advance(it, int64_t(troupe.sim.draw(troupe.newest.size())));
    targets.push_back(it->first);
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
    random_kills between{troupe, 5};
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

TEST_CASE("whichever actor is killed at whatever moment, all requests finish with the reference's bytes", "[simulation]") {
  std::map<std::string, int> targets;
  for (const uint64_t seed : seeds(1000)) {
    simulated_troupe troupe(seed, small_troupe());
    troupe.sim.early_timers(2);
    submit_all(troupe);
    random_kills between{troupe, 1 + troupe.sim.draw(6)};
    const bool finished = troupe.run(std::ref(between));
    INFO("TROUPE_SEED=" << seed << ", killed: " << list_of(between.targets));
    REQUIRE(finished);
    check_outcomes(troupe.outcomes);
    REQUIRE(troupe.close() == 0);
    for (const auto& name : between.targets) ++targets[name.starts_with("/sequences/") ? "/sequences/*" : name];
  }
  if (seeds(1000).size() > 100) CHECK(targets.size() == 23); // Every actor was a target.
}

TEST_CASE("messages of a step may be lost or come twice, and actors killed meanwhile", "[simulation]") {
  uint64_t lost = 0, repeated = 0;
  for (const uint64_t seed : seeds(600)) {
    auto config = small_troupe();
    simulated_troupe* running = nullptr; // The hook is used once there is one.
    const auto decide = [&](const std::string& path, const caf::mailbox_element_ptr& element) {
      const auto& content = element->content();
      const bool is_of_a_step = content.match_elements<v1::ForwardStep>() || content.match_elements<v1::HiddenStates>() ||
                                content.match_elements<v1::AttendStep>() || content.match_elements<v1::ProjectStep>() ||
                                content.match_elements<v1::LogitsResult>() || content.match_elements<v1::StepFault>() ||
                                content.match_elements<v1::AppendToken>() || content.match_elements<v1::ReportProgress>() ||
                                content.match_elements<v1::StepProgress>();
      if (!is_of_a_step) return fate::pass;
      const auto number = running->sim.draw(400);
      // Hidden states for an observer are not sent again when they are lost: no result depends on them.
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
    running = &troupe;
    submit_all(troupe);
    random_kills between{troupe, troupe.sim.draw(4)};
    const bool finished = troupe.run(std::ref(between));
    INFO("TROUPE_SEED=" << seed << ", killed: " << list_of(between.targets));
    REQUIRE(finished);
    check_outcomes(troupe.outcomes);
    REQUIRE(troupe.close() == 0);
  }
  CHECK(lost > 0);
  CHECK(repeated > 0);
}

} // namespace troupe
