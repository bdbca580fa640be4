#pragma once
#include "actors/inference/stage.hpp"
#include "actors/interfaces/roles.hpp"
#include "actors/interfaces/step.hpp"
#include "model/parts.hpp"
#include <memory>
#include <string>

namespace troupe {

struct embedding_config {
  std::string path;
  std::shared_ptr<const model_parts> model;
  bool of_encoder = false; // Of the encoder's stack, for the rows of sources.
  std::string next;        // Path of layer 0 of its stack.
  directory_actor directory;
};

/// The first stage of a stack: turns the tokens of a step, or its images or sounds, into hidden states and sends them to layer 0. Behind an
/// encoder it gets steps from the encoder's last layer, too: then what the encoder's final norm makes of the source rows goes along.
///
/// Retry     stateless but for the newest step it has seen; older ones are dropped.
/// Restart   loses at most the step under way, whose rows the scheduler then plans again.
/// Faults    reports NON_FINITE about itself when a row is not finite: the weights hold a NaN, memory is corrupt, or an image or a sound
///           has features beyond all measure.
struct embedding_state {
  static inline const char* name = "embedding";
  embedding_config config;
  next_stage next{""};
  scheduler_link scheduler;
  step_gate gate;

  const stack_part& stack() const { return config.of_encoder ? *config.model->encoder : *config.model; }
  v1::HiddenStates begin(const v1::ForwardStep& step);
  v1::HiddenStates go_on(v1::HiddenStates& encoded);
};

embedding_actor::behavior_type embedding(embedding_actor::stateful_pointer<embedding_state> self,
                                         embedding_config config);

} // namespace troupe
