#pragma once
// How a caller lends its threads to long work in model/, which starts none of its own.
#include <functional>
#include <vector>

namespace troupe {

/// Runs independent jobs, in any order, on any threads; returns when all are done; rethrows the first
/// exception.
using job_runner = std::function<void(std::vector<std::function<void()>>)>;
void run_in_order(std::vector<std::function<void()>> jobs);

/// Called as long work goes on, from any thread, also from several at once, with the share done in [0, 1].
using progress_callback = std::function<void(double)>;

/// Asked now and then, from any thread, also from several at once, whether long work is to end early.
using stop_predicate = std::function<bool()>;

} // namespace troupe
