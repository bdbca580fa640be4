#pragma once
// Why an actor of this project ended, as a caf::error that keeps its text: CAF by itself drops the text of an exception.
#include <caf/error.hpp>
#include <caf/fwd.hpp>

#include <cstdint>
#include <string>

namespace troupe {

/// Codes of our own error category, with a text each. The numbers cross the wire: never reuse one.
enum class failure : std::uint8_t {
  exception = 1,         // A handler threw; the text is what().
  restarts_exceeded = 2, // A supervisor gave up on its children.
  abandoned = 3,         // It was reported as hanging, or given up when it did not end; it may still run.
  start_failed = 4,      // A child's start function threw or returned no actor.
  out_of_memory = 5,     // As exception, by std::bad_alloc.
};

caf::error make_error(failure code, std::string text);

/// Whether `reason` was made by make_error with this code.
bool is_failure(const caf::error& reason, failure code);

/// For a person: the text of a failure, "user_shutdown" or "kill" for CAF's exit reasons, else CAF's own text.
std::string reason_text(const caf::error& reason);

/// An actor that ends with such a reason was done, or was asked to end.
bool is_normal_end(const caf::error& reason);

/// What a client says of its requests when the root has ended for `reason`: why, unless it was asked to end.
std::string engine_has_stopped(const caf::error& reason);

/// From now on an exception that leaves a handler of `self` ends it with failure::exception and what(), or with
/// failure::out_of_memory. Every actor of the project calls it first, so that the decisions of supervisors can say why it ended.
void report_exceptions(caf::scheduled_actor* self);

/// Lets caf::actor_system::render print failures. Not needed by anything else.
void register_failures(caf::actor_system_config& config);

} // namespace troupe
