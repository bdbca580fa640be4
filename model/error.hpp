#pragma once
// The errors that model/ throws.
#include <stdexcept>
#include <string>

namespace troupe {

/// Something from outside is not acceptable: a file, an option, a request, a prompt. Expected; the text is for a
/// person and names what was found, where, and what was expected. It is reported to the supplier of the input only.
struct input_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// An invariant of this program does not hold: a bug, or corrupt memory. The state it concerns must not be used any more;
/// inside an actor the exception ends that actor and its supervisor decides.
struct broken_invariant : std::logic_error {
  using std::logic_error::logic_error;
};

/// A check found corrupt bits: memory or arithmetic failed, not the program. Handled as a broken invariant is: the actor
/// that finds its own weights or products wrong ends, and its replacement begins with intact ones.
struct wrong_bits : std::runtime_error {
  using std::runtime_error::runtime_error;
};

[[noreturn]] void throw_broken_invariant(const char* condition, const char* file, int line);

/// Checked in every build. State one condition positively: TROUPE_ASSERT(rows > 0).
#define TROUPE_ASSERT(condition)                                                                             \
  (static_cast<bool>(condition) ? void(0) : ::troupe::throw_broken_invariant(#condition, __FILE__, __LINE__))

} // namespace troupe
