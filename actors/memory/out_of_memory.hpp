#pragma once
// What a program does when it gets no memory: for programs that link troupe::memory, as `troupe` does. It replaces operator new, so
// it holds for every library of the program that allocates by it: CAF, Protocol Buffers, the standard library. It also replaces how
// thread_local objects are registered for destruction.
//
// CAF cannot go on without a few hundred bytes. Each message, timer and notice of an actor's end is a small allocation, and most
// of them are made where nobody could handle an exception: in destructors, in CAF's timer thread, or halfway through telling others
// that an actor has ended, who would then wait for ever. So, as in Linux itself, allocations up to small_allocation do not fail:
// - A small one is tried again for memory_patience, in which other threads may give memory back. Then the process ends, at once:
//   a line on stderr, and an exit code of its own. Erlang's virtual machine does the same; whoever started the process restarts it.
// - A larger one throws std::bad_alloc, which ends the request, the actor or the call that it was for, and nothing else: caches,
//   weights, rows of a long prompt.
#include <chrono>
#include <cstddef>

namespace troupe {

inline constexpr std::size_t small_allocation = std::size_t{32} << 10; // Bytes.
inline constexpr std::chrono::milliseconds memory_patience{250};

inline constexpr int out_of_memory_exit_code = 5;

/// First thing in main(): from now on a std::bad_alloc that is handled nowhere ends the process in the same way, whatever throws it.
void end_when_out_of_memory() noexcept;

/// Ends the process in this way. Nothing is destroyed: other threads still run. What was written to files and pipes is there; streams
/// of the standard library are not flushed.
[[noreturn]] void end_out_of_memory() noexcept;

} // namespace troupe
