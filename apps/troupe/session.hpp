#pragma once
// A model as a running engine, for commands.
#include "actors/engine.hpp"
#include "apps/troupe/options.hpp"
#include <functional>
#include <memory>

namespace troupe {

/// Starts the model's troupe, with a progress bar. Room for at least `sequences_min` at once. With a plan it is disturbed.
/// Throws input_error.
std::unique_ptr<engine> start_engine(std::shared_ptr<const model_file> model, const run_options& options,
                                     uint32_t sequences_min = 1, std::shared_ptr<const v1::FaultPlan> plan = nullptr);

/// Hands every event of `from` to `take` until nothing is under way. The first Ctrl-C cancels what is under way; the
/// events of that still come. Returns 0, or the signal that came.
int take_events(client& from, const std::function<void(const generation_event&)>& take);

} // namespace troupe
