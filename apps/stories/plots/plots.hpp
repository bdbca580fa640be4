#pragma once
// The plots: each casts its characters, tells the story and returns the word for what the hero wanted, which the last paragraph
// names.
#include "apps/stories/telling/teller.hpp"
#include <span>
#include <string>
#include <string_view>

namespace troupe::stories {

struct plot {
  std::string_view name;
  std::string (*tell)(teller&);
  uint32_t weight; // How often it is told, beside the others.
};

std::span<const plot> all_plots();

std::string lost_thing(teller& t);
std::string handmade_gift(teller& t);
std::string overcome_fear(teller& t);
std::string broken_thing(teller& t);
std::string new_friend(teller& t);
std::string the_contest(teller& t);
std::string whispered_secret(teller& t);
std::string helping_old(teller& t);
std::string journey_for_cure(teller& t);
std::string learned_skill(teller& t);
std::string noise_at_night(teller& t);
std::string the_storm(teller& t);
std::string shared_meal(teller& t);
std::string planted_seed(teller& t);
std::string built_thing(teller& t);
std::string chain_of_trades(teller& t);
std::string little_one(teller& t);
std::string the_quarrel(teller& t);
std::string caught_light(teller& t);
std::string cannot_sleep(teller& t);
std::string too_small(teller& t);
std::string heavy_load(teller& t);

} // namespace troupe::stories
