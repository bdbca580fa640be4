#pragma once
// One run of `troupe chaos`: some requests, at once, or a training run, on an engine that may have a fault plan; and what came of it.
#include "actors/engine.hpp"
#include "actors/training_engine.hpp"
#include "troupe/v1/faults.pb.h"
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace troupe {

struct chaos_request {
  std::string prompt; // For reports.
  generate_request request;
};

/// What a client saw of its request, or of its training run. Times are milliseconds since the start.
struct request_record {
  std::vector<uint32_t> tokens;
  std::string text;
  std::vector<hypothesis> hypotheses; // Of a beam search.
  // Rows of numbers, where they are wanted: the results, and the hidden states of each layer.
  std::map<std::tuple<event_kind, bool, uint32_t>, std::vector<float>> rows; // By kind, of the encoder or not, layer.
  std::vector<double> losses;  // Of a training run: of each step,
  trained_state weights;       // and at the end the weights, with the optimiser's moments.
  std::vector<double> event_ms; // Of each token and of the end; of each step.
  bool finished = false;
  finish_reason reason = finish_reason::error;
  std::string error;
};

struct run_record {
  bool is_training = false;
  std::vector<request_record> requests; // Of training: one.
  uint64_t tokens = 0; // That have come, of all requests.
  v1::FaultLog log; // Empty for the undisturbed run.
  double wall_ms = 0;
  uint64_t repeated = 0; // Requests that were sent again; updates that were done again.
  size_t left_over = 0; // Actors that did not end with the engine.
  bool ended_early = false; // `go_on` said so, or nothing happened for too long.
  int signal = 0;           // Ctrl-C.
};

/// Called now and then with what there is so far; false: that is enough, the run ends.
using run_watcher = std::function<bool(const run_record& so_far)>;

/// Sends all requests and takes their events until all have finished, nothing has come for `silence_max`, or `go_on` ends
/// it; then stops the engine. The engine is of no use afterwards.
run_record run_requests(engine& on, const std::vector<chaos_request>& requests, std::chrono::milliseconds silence_max,
                        const run_watcher& go_on);

/// The same with `steps` updates in place of requests.
run_record run_training(training_engine& on, uint64_t steps, std::chrono::milliseconds silence_max, const run_watcher& go_on);

} // namespace troupe
