#pragma once
#include "actors/interfaces/roles.hpp"
#include "actors/inference/stage.hpp"
#include "model/parts.hpp"
#include <memory>

namespace troupe {

struct embedding_config {
  std::string path;
  std::shared_ptr<const model_parts> model;
  std::string next; // Path of layer 0.
  directory_actor directory;
};

/// The first stage of the pipeline: turns the tokens of a step into hidden states and sends them to layer 0.
///
/// Retry     stateless but for the newest step it has seen; older ones are dropped.
/// Restart   loses at most the step under way, whose rows the scheduler then plans again.
/// Faults    reports NON_FINITE about itself when a row is not finite: the weights hold a NaN, or memory is corrupt.
struct embedding_state {
  static inline const char* name = "embedding";
  embedding_config config;
  next_stage next{""};
  scheduler_link scheduler;
  step_gate gate;

  v1::HiddenStates embed(const v1::ForwardStep& step);
};

embedding_actor::behavior_type embedding(embedding_actor::stateful_pointer<embedding_state> self,
                                         embedding_config config);

} // namespace troupe
