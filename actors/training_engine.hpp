#pragma once
// The entry point for programs that train: a model whose parameters are owned by a tree of supervised actors, and a step at a time.
//
//   troupe::training_engine engine{model, make_batches, {}};
//   for (;;) {
//     engine.train();
//     const auto figures = engine.wait();
//     std::cout << figures.loss << '\n';
//   }
#include "model/training/micro_batch.hpp"
#include "model/training/optimiser.hpp"
#include "model/training/trainable_parts.hpp"
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

namespace v1 {
class FaultPlan; // troupe/v1/faults.pb.h
class FaultLog;
} // namespace v1

/// What one step sees. Loss and gradients are means over all targets, however it is cut into micro-batches.
using training_batch = std::vector<micro_batch>;

/// Training batch n is that of the update from state n to state n + 1. Pure functions: called again for the same number, also in
/// another process, they give the same batch. An input_error that they throw becomes the step's error.
struct batch_functions {
  std::function<training_batch(uint64_t number)> training, validation;
};
/// Makes such functions, each to be called by one thread at a time. Called whenever the actor that loads batches is started, perhaps
/// while an earlier one is still at work: what the functions share must not change.
using batch_factory = std::function<batch_functions()>;

struct training_options {
  uint32_t threads = 0;         // Worker threads; 0: as many as usable_processors() (actors/threads/processors.hpp).
  uint32_t in_flight_max = 4;   // Micro-batches under way at once. Never changes a bit of the result.
  bool pin_threads = false;
  optimiser_options optimiser = {};
  rate_schedule schedule = {};
  float label_smoothing = 0;    // In [0, 1).
  float dropout = 0;            // Share of activations, in [0, 1): model/training/dropout.hpp.
  uint64_t seed = 0;            // Of dropout.
  float weights_kept = 0;       // Exponential smoothing: smoothed = kept * smoothed + (1 - kept) * weights; 0: none.
  // Updates between two states that are kept, to go on from after a fault. 0: as often as costs no more than 1 % of the time, by
  // what a state and a step were measured to take.
  uint64_t snapshot_every = 0;
  std::shared_ptr<const v1::FaultPlan> fault_plan = nullptr; // Faults to inject, for chaos runs.
};

struct training_figures {
  uint64_t update = 0;      // The state of the weights now: how many updates there have been.
  double loss = 0;          // Mean over the targets.
  uint64_t targets = 0, hits = 0; // Targets; those to which the model gave the largest probability.
  uint64_t rows = 0;
  double gradient_norm = 0; // Before clipping.
  double rate = 0;
  std::chrono::nanoseconds wall{0};    // Of the attempt that succeeded.
  std::chrono::nanoseconds compute{0}; // Of it inside the code of model/, summed over actors: up to threads * wall.
  uint64_t attempts = 1;    // More than one: something failed, and the step was done again.
};

/// The values of some rows of a tensor and what the optimiser keeps of them, each [rows.count, columns].
struct trained_slice {
  tensor_slice slice;
  std::vector<float> value, first_moment, second_moment, smoothed;
};
/// All parameters after the same update. A slice of each tensor for each actor that owns a part of it.
struct trained_state {
  uint64_t update = 0;
  std::vector<trained_slice> slices;
};

/// Trains in an actor system of its own. One step at a time; faults of its actors are survived: the weights have the same bits as
/// without them, for any number of threads, shards and micro-batches in flight.
class training_engine {
public:
  /// The model's builder gives shapes and, without `state`, the values to begin with. `state`: to go on from; its slices may be cut
  /// otherwise than the builder would. Throws input_error for a state of another model, or a fault plan that cannot be carried out;
  /// std::system_error when the system does not create the threads.
  training_engine(std::shared_ptr<const trainable_builder> model, batch_factory make_batches, const training_options& options,
                  std::optional<trained_state> state = std::nullopt);
  ~training_engine();
  training_engine(const training_engine&) = delete;
  training_engine& operator=(const training_engine&) = delete;

  /// Orders the next update, or the loss of a validation batch. keep_state: state() will be that after this update.
  void train(bool keep_state = false);
  void evaluate(uint64_t batch);
  /// The figures once the step is done; nothing if that takes longer than `timeout`. Throws input_error when it cannot be done.
  std::optional<training_figures> wait(std::chrono::milliseconds timeout);
  training_figures wait();

  uint64_t update() const; // How many updates there have been.
  /// The newest state that was kept.
  trained_state state() const;
  uint64_t state_update() const;
  uint64_t updates_replayed() const; // Done again after faults.
  v1::FaultLog fault_log() const;
  void stop_faults();
  const training_options& options() const; // With the defaults filled in.
  /// The paths of all actors below the root.
  std::vector<std::string> actors() const;
  /// Ends all actors; the engine is of no use afterwards. Returns how many did not end within two seconds: anything but 0 is a
  /// bug.
  size_t stop();

private:
  struct implementation;
  std::unique_ptr<implementation> state_;
};

} // namespace troupe
