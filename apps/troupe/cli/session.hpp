#pragma once
// Starting an engine and receiving its events, for commands.
#include "actors/engine.hpp"
#include "apps/troupe/cli/options.hpp"
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

namespace troupe {

/// Opens the model. What had to be assumed about it is told on stderr, unless the options say quiet. Throws input_error.
std::shared_ptr<const model_file> open_model(const run_options& options);

/// Starts an engine for the model, with a progress bar. With a plan its faults are injected. `log`: what it says of itself goes there.
/// Throws input_error.
std::unique_ptr<engine> start_engine(std::shared_ptr<const model_file> model, const run_options& options,
                                     std::shared_ptr<const v1::FaultPlan> plan = nullptr, log_function log = {});

/// How long a command waits for something before it looks whether a signal has come: signals do not wake a client.
constexpr std::chrono::milliseconds signal_poll_interval{50};

/// Calls `take` with every event of `from` until no request is under way. The first Ctrl-C cancels all requests; their
/// last events still come. Returns 0, or the signal that came.
/// `feed`: called before each event, to submit more requests; false: no more will come. When no request is under way it may wait for
/// signal_poll_interval.
int take_events(client& from, const std::function<void(const generation_event&)>& take, const std::function<bool()>& feed = {});

/// Puts the rows that an event brings at their place among all of them.
void place_rows(std::vector<float>& all, const generation_event& event);

} // namespace troupe
