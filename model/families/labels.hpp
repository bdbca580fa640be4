#pragma once
// The head of models that name classes.
#include "model/families/family_reader.hpp"

namespace troupe {

/// "<name>.weight" [classes, width] and "<name>.bias", with the classes' names from "id2label" where it is there: sets the output's columns,
/// labels and tensors. Throws input_error where there are more or fewer names than classes.
void read_classifier(const hyperparameters& parameters, tensor_lookup& tensors, const std::string& name, model_description& model);

} // namespace troupe
