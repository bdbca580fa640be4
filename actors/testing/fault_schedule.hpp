#pragma once
// Which faults are injected into simulated actors, and how often: drawn from a seed, each seed its own.
#include "actors/testing/message_info.hpp"
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace troupe::testing {

/// What can go wrong. An injection into a supervisor, during a recovery, or together with another counts as that, too.
enum class fault_kind : uint8_t {
  lose,          // A message never arrives.
  duplicate,     // It arrives twice, the second time perhaps much later.
  delay,         // Others overtake it.
  late,          // It arrives after its step's deadline.
  nan,           // A value in it is a NaN,
  infinity,      // or infinite,
  shape,         // or missing: an answer of a wrong shape, or a request that makes its receiver throw.
  crash,         // An actor ends as if it had thrown.
  kill,          // It is killed.
  hang,          // It does nothing more: it has to be replaced.
  freeze,        // It does nothing for a moment, then goes on with what has come.
  abandon,       // It is reported to hang although it is well.
  clock_jump,    // All clocks jump ahead.
  at_supervisor, // One of the above hit a supervisor below the root,
  in_recovery,   // or came while another actor was just being replaced,
  two_at_once,   // or in the same moment as another.
};
constexpr size_t fault_kinds = size_t(fault_kind::two_at_once) + 1;
std::string_view to_string(fault_kind kind);

/// Which faults are on, and how likely. Rates are per mille: for faults of messages, of each message of an affected kind; for
/// the others, of each step.
struct fault_schedule {
  std::array<uint32_t, fault_kinds> rate{};
  std::array<bool, message_kinds> affected{}; // Kinds of messages.
  uint32_t early_timers = 0;                  // See simulation.
  uint32_t steps = 0;                         // For how many steps faults are injected at most.
  uint32_t actor_injections_max = 0;          // Injections into actors.

  uint32_t of(fault_kind kind) const { return rate[size_t(kind)]; }
};
fault_schedule draw_fault_schedule(uint64_t seed);
fault_schedule no_faults(); // No fault is on.

/// How often which fault was injected, and into which roles.
struct injection_counts {
  std::array<uint64_t, fault_kinds> by_kind{};
  std::map<std::string, uint64_t> targets; // Injections into actors, by role: "head", "layer supervisor", ...
  std::map<std::string, uint64_t> plan;    // Injections of a fault plan, by fault.
  uint64_t messages = 0, affected_messages = 0; // All that were seen while faults were injected, and those of affected kinds.

  void add(const injection_counts& other);
};

/// The role of the actor at `path`, without numbers: "head", "layer supervisor", "sequence", "trainer".
std::string role_of(std::string_view path);

} // namespace troupe::testing
