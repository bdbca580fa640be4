#pragma once
// What the results of a model depend on, in a few digits.
#include <string>

namespace troupe { class engine; }

namespace troupe::service {

/// The same for the same weights, vocabulary and chat template, run with options that change no bit. Of each tensor name, type, shape, and
/// of its bytes the first and last 4 KiB: enough to tell models apart, not to prove that nobody has changed one.
std::string model_identity(const engine& runs);

} // namespace troupe::service
