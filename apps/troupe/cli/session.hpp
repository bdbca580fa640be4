#pragma once
// Starting an engine and receiving its events, for commands.
#include "actors/engine.hpp"
#include "apps/troupe/cli/options.hpp"
#include <functional>
#include <memory>

namespace troupe {

/// Opens the model. What had to be assumed about it is told on stderr, unless the options say quiet. Throws input_error.
std::shared_ptr<const model_file> open_model(const run_options& options);

/// Starts an engine for the model, with a progress bar. At least `sequences_min` requests are admitted at once. With a plan its
/// faults are injected. Throws input_error.
std::unique_ptr<engine> start_engine(std::shared_ptr<const model_file> model, const run_options& options,
                                     uint32_t sequences_min = 1, std::shared_ptr<const v1::FaultPlan> plan = nullptr);

/// Calls `take` with every event of `from` until no request is under way. The first Ctrl-C cancels all requests; their
/// last events still come. Returns 0, or the signal that came.
int take_events(client& from, const std::function<void(const generation_event&)>& take);

} // namespace troupe
