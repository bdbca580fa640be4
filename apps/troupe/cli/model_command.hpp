#pragma once
// Which command a model is for.
#include "model/model_file.hpp"
#include <string_view>

namespace troupe {

/// "generate", "translate", "classify", "fill-mask", "answer", "embed" or "see".
const char* command_for(const model_spec& spec);

/// Throws input_error naming the right command when the model is for another one. Models of texts without a decoder also embed.
void require_command(const model_file& model, std::string_view command);

} // namespace troupe
