#pragma once
// The models that come with troupe.
#include <string>

namespace troupe {

/// Where one of them lies ("storyteller/storyteller.gguf"): in apps/ of the tree that the program was built in, or in share/troupe where it
/// was installed. Throws input_error.
std::string bundled_model(const std::string& name);

/// "0.1.0"
std::string program_version();

} // namespace troupe
