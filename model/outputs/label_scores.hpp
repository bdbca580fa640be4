#pragma once
// From a row of logits of a classifier to what it says of each label.
#include "model/model_file.hpp"
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace troupe {

/// What becomes of a row of logits.
enum class scoring : uint8_t {
  one_of_all,  // Probabilities that sum to 1: softmax.
  each_by_own, // Each label has a probability of its own: sigmoid.
  values,      // They are what is asked for: regression.
};

/// As transformers' pipeline decides it.
scoring scoring_of(const model_file& model);
std::vector<double> scores_of(std::span<const float> logits, scoring how);

/// Probabilities, e^x / sum(e^x), in float64; the same bits on every machine.
std::vector<double> softmax(std::span<const float> logits);
/// Of a classifier, by number; LABEL_0 and so on where the model has no names.
std::vector<std::string> labels_of(const output_spec& output);

} // namespace troupe
