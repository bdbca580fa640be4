#pragma once
// Why an actor of ours ended, as a caf::error that keeps its text: CAF by itself forgets what an exception
// said.
#include <caf/error.hpp>
#include <caf/fwd.hpp>

#include <cstdint>
#include <string>

namespace troupe {

/// Codes of our own error category, with a text each. The numbers cross the wire: never reuse one.
enum class failure : std::uint8_t {
  exception = 1,         // A handler threw; the text is what().
  restarts_exceeded = 2, // A supervisor gave up on its children.
  abandoned = 3,         // Somebody reported the actor as hanging; it may still run.
  start_failed = 4,      // A child's start function threw or returned nobody.
};

caf::error make_error(failure code, std::string text);

/// Whether `reason` was made by make_error with this code.
bool is_failure(const caf::error& reason, failure code);

/// For a person: the text of a failure, "user_shutdown" or "kill" for CAF's exit reasons, else whatever CAF
/// says.
std::string reason_text(const caf::error& reason);

/// An actor that ends with such a reason was done, or was told to end politely.
bool is_normal_end(const caf::error& reason);

/// From now on an exception that leaves a handler of `self` ends it with failure::exception and what(). All
/// actors of the project call it first thing, so that decisions of supervisors can say why.
void report_exceptions(caf::scheduled_actor* self);

/// Lets caf::actor_system::render print failures. Not needed by anything else.
void register_failures(caf::actor_system_config& config);

} // namespace troupe
