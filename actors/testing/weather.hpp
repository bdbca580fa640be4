#pragma once
// Which faults a simulated troupe has to expect, and how often: drawn from a seed, each seed its own.
#include "actors/testing/letter.hpp"
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace troupe::testing {

/// What can go wrong. A strike at a supervisor, during a recovery, or together with another counts as that, too.
enum class strike : uint8_t {
  lose,          // A message never arrives.
  duplicate,     // It arrives twice, the second time perhaps much later.
  delay,         // Others overtake it.
  late,          // It arrives after its step's deadline.
  nan,           // A value in it is a NaN,
  infinity,      // or infinite,
  shape,         // or missing: an answer of a wrong shape, or a request that makes its receiver throw.
  crash,         // An actor ends as if it had thrown.
  kill,          // It is killed.
  hang,          // It does nothing more until it has been replaced and the storm is over.
  freeze,        // It does nothing for a moment, then goes on with what has come.
  abandon,       // It is reported to hang although it is well.
  clock_jump,    // All clocks jump ahead.
  at_supervisor, // One of the above hit a supervisor below the root,
  in_recovery,   // or came while another actor was just being replaced,
  two_at_once,   // or in the same moment as another.
};
constexpr size_t strike_kinds = size_t(strike::two_at_once) + 1;
std::string_view to_string(strike kind);

/// What is on, and how likely. Rates are per mille: for letters, of each letter of a windy kind; for the others, of each
/// step.
struct weather {
  std::array<uint32_t, strike_kinds> rate{};
  std::array<bool, letter_kinds> windy{};
  uint32_t early_timers = 0; // See simulation.
  uint32_t steps = 0;        // How long the storm lasts at most.
  uint32_t blows_max = 0;    // How many strikes at actors.

  uint32_t of(strike kind) const { return rate[size_t(kind)]; }
};
weather draw_weather(uint64_t seed);
weather fair_weather(); // Nothing is on.

/// How often what struck, and whom.
struct tally {
  std::array<uint64_t, strike_kinds> struck{};
  std::map<std::string, uint64_t> victims; // Strikes at actors, by part: "head", "layer supervisor", ...
  std::map<std::string, uint64_t> plan;    // Strikes of a fault plan, by fault.
  uint64_t letters = 0, windy_letters = 0; // All that were seen during storms, and those on links that may lose.

  void add(const tally& other);
};

/// The part that the actor at `path` plays, without numbers: "head", "layer supervisor", "sequence".
std::string part_of(std::string_view path);
/// All parts that a strike can hit.
const std::array<std::string_view, 14>& all_parts();

} // namespace troupe::testing
