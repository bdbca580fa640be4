#pragma once
// The kinds of wrong that model/ knows.
#include <stdexcept>
#include <string>

namespace troupe {

/// Something from outside is not acceptable: a file, an option, a request, a prompt. Expected; the text is for a
/// person and names what was found, where, and what was wanted. Whoever supplied the input gets it, nobody else.
struct input_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// One of our own invariants does not hold: a bug, or memory gone bad. Whoever holds the state it concerns must not
/// go on with it; inside an actor the exception ends that actor and its supervisor decides.
struct broken_invariant : std::logic_error {
  using std::logic_error::logic_error;
};

/// A check found bits that are not what they were: memory or arithmetic failed, not the program. Handled as a broken
/// invariant is: the actor that finds its own weights or products wrong ends, and its replacement begins with good ones.
struct wrong_bits : std::runtime_error {
  using std::runtime_error::runtime_error;
};

[[noreturn]] void throw_broken_invariant(const char* condition, const char* file, int line);

/// Checked in every build. State one condition positively: TROUPE_ASSERT(rows > 0).
#define TROUPE_ASSERT(condition)                                                                             \
  (static_cast<bool>(condition) ? void(0) : ::troupe::throw_broken_invariant(#condition, __FILE__, __LINE__))

} // namespace troupe
