#include "apps/stories/plots/plots.hpp"

namespace troupe::stories {
namespace {

constexpr plot plots[] = {
  {"lost thing", lost_thing, 2},
  {"handmade gift", handmade_gift, 2},
  {"overcome fear", overcome_fear, 3},
  {"broken thing", broken_thing, 2},
  {"new friend", new_friend, 2},
  {"contest", the_contest, 2},
  {"whispered secret", whispered_secret, 2},
  {"helping old", helping_old, 2},
  {"journey for cure", journey_for_cure, 3},
  {"learned skill", learned_skill, 3},
  {"noise at night", noise_at_night, 2},
  {"storm", the_storm, 2},
  {"shared meal", shared_meal, 2},
  {"planted seed", planted_seed, 2},
  {"built thing", built_thing, 2},
  {"chain of trades", chain_of_trades, 2},
  {"little one", little_one, 2},
  {"quarrel", the_quarrel, 2},
  {"caught light", caught_light, 2},
  {"cannot sleep", cannot_sleep, 2},
  {"too small", too_small, 2},
  {"heavy load", heavy_load, 2},
};

} // namespace

std::span<const plot> all_plots() { return plots; }

} // namespace troupe::stories
