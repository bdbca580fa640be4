#pragma once
// What the results of a model depend on, in a few digits.
#include <string>

namespace troupe {
struct engine_options;
struct model_file;
} // namespace troupe

namespace troupe::service {

/// The same for the same weights, hyperparameters, vocabulary and chat template, run with options that change no bit, by versions of
/// troupe that give the same results. Of each tensor name, type, shape, and of its bytes the first and last 4 KiB: enough to tell models
/// apart, not to prove that nobody has changed one. `options`: as the engine runs with them.
std::string model_identity(const model_file& model, const engine_options& options);

} // namespace troupe::service
