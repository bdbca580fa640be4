#pragma once
// A training run from its configuration to its last checkpoint.
#include "actors/training_engine.hpp"
#include "apps/troupe/train/checkpoint.hpp"
#include "apps/troupe/train/config.hpp"
#include "apps/troupe/train/metrics.hpp"
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace troupe {

struct job_options {
  uint32_t threads = 0, shards = 0; // 0: one per core; as many as threads.
  uint32_t in_flight_max = 4;
  bool resume = false;
  std::shared_ptr<const v1::FaultPlan> fault_plan = nullptr;
};

/// Where the run is in its epoch.
struct epoch_place {
  uint64_t epoch = 0, epochs = 0; // From 1.
  uint64_t step = 0, steps = 0;   // Of this epoch.
};

/// Is told what happens: by the thread that runs the job, but for preparing(). What it does not override it does not care for.
class job_listener {
public:
  virtual ~job_listener() = default;
  virtual void note(const std::string& /*text*/) {}
  virtual void preparing(std::string_view /*what*/, double /*share*/) {} // Share 1: it is done. From any thread.
  virtual void step(const epoch_place&, const training_figures&, const run_position&) {}
  virtual void validating(uint64_t /*batch*/, uint64_t /*batches*/) {}
  virtual void validated(const epoch_place&, const validation_figures&) {}
  virtual void epoch_ended(const epoch_place&, const run_position&) {}
  /// Whether to save and end: asked after every step.
  virtual bool stop() { return false; }
};

/// What a run keeps to see how well it goes.
struct held_out_texts {
  data_source_options source;
  std::vector<uint32_t> documents; // By number in the source.
};

struct job_outcome {
  bool is_interrupted = false, is_early = false; // By stop(); by patience.
  run_position position;
  std::filesystem::path last, best; // Checkpoints; best may be empty.
  held_out_texts held_out;
  uint64_t replayed = 0, attempts_failed = 0;
};

/// What a training_engine is made of.
struct prepared_job {
  std::shared_ptr<const model_file> file; // What the builder takes values from.
  std::shared_ptr<const trainable_builder> model;
  batch_factory batches;
  training_options training;
  uint64_t steps = 0; // Of the whole run; 0: listener.stop() ended the preparation.
};

/// Does what comes before the first step: in config.output are the vocabulary and the tokens then. Throws input_error as run_job does.
prepared_job prepare_job(const train_config& config, const job_options& options, job_listener& listener);

/// Runs the job. Files in config.output:
///   tokenizer/            the vocabulary that was made, where one was
///   data/                 tokens of the training and validation data
///   checkpoints/, last, best
///   metrics.jsonl         a line for each step and validation
///   loss.svg              the loss so far
/// With options.resume it goes on from the newest checkpoint, if there is one: byte for byte as if it had not been interrupted. Without,
/// the folder must not hold a run. Throws input_error for whatever is not acceptable.
job_outcome run_job(const train_config& config, const job_options& options, job_listener& listener);

} // namespace troupe
