#include "actors/testing/weather.hpp"

#include "model/testing/tiny_model.hpp"

#include <algorithm>

namespace troupe::testing {

std::string_view to_string(strike kind) {
  static constexpr std::string_view names[] = {
    "lose", "duplicate", "delay",  "late",    "nan",        "infinity",      "shape",       "crash",
    "kill", "hang",      "freeze", "abandon", "clock jump", "at supervisor", "in recovery", "two at once"};
  return names[size_t(kind)];
}

weather fair_weather() { return {}; }

weather draw_weather(uint64_t seed) {
  raw_bits bits{seed};
  weather result;
  const auto perhaps = [&](strike kind, uint32_t most) {
    const bool on = bits.below(2) == 0;
    const auto rate = uint32_t(1 + bits.below(most));
    result.rate[size_t(kind)] = on ? rate : 0;
  };
  // Of the messages of a windy kind up to three in ten are lost, come twice or are overtaken.
  perhaps(strike::lose, 300);
  perhaps(strike::duplicate, 300);
  perhaps(strike::delay, 300);
  for (const auto kind : {strike::late, strike::nan, strike::infinity, strike::shape}) perhaps(kind, 20);
  for (const auto kind : {strike::crash, strike::kill, strike::hang, strike::freeze, strike::abandon}) perhaps(kind, 6);
  perhaps(strike::clock_jump, 3);
  perhaps(strike::in_recovery, 60);
  perhaps(strike::two_at_once, 500);
  for (auto& windy : result.windy) windy = bits.below(3) == 0;
  result.early_timers = uint32_t(bits.below(2) * bits.below(6));
  result.steps = 100 + uint32_t(bits.below(6000));
  result.blows_max = 1 + uint32_t(bits.below(10));
  return result;
}

void tally::add(const tally& other) {
  for (size_t i = 0; i < struck.size(); ++i) struck[i] += other.struck[i];
  for (const auto& [part, count] : other.victims) victims[part] += count;
  for (const auto& [fault, count] : other.plan) plan[fault] += count;
  letters += other.letters;
  windy_letters += other.windy_letters;
}

const std::array<std::string_view, 14>& all_parts() {
  static constexpr std::array<std::string_view, 14> parts{
    "directory", "supervisor", "scheduler", "sequences", "sequence", "replica supervisor", "embedding", "layer",
    "layer supervisor", "head", "layer shard", "output", "output supervisor", "output shard"};
  return parts;
}

std::string part_of(std::string_view path) {
  const bool is_layer = path.find("/layer/") != path.npos, is_output = path.find("/output") != path.npos;
  const std::string owner = is_layer ? "layer" : is_output ? "output" : path.starts_with("/replica") ? "replica" : "";
  if (path.ends_with("/supervisor")) return owner.empty() ? "supervisor" : owner + " supervisor";
  if (path.find("/head/") != path.npos) return "head";
  if (path.find("/shard/") != path.npos) return owner + " shard";
  if (path.starts_with("/sequences/")) return "sequence";
  if (path.ends_with("/embedding")) return "embedding";
  return owner.empty() ? std::string(path.substr(path.starts_with("/"))) : owner;
}

} // namespace troupe::testing
