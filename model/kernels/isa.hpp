#pragma once
// Which instruction set the kernels run on.
#include <string>
#include <vector>

namespace troupe {

/// The instruction sets this CPU and this build offer, best first: "amx" (with AVX-512), "avx512" (with VNNI), "avx2",
/// "plain".
std::vector<std::string> available_isas();

/// The one in use. By default the best; the environment variable TROUPE_ISA pins a lower one, read at the
/// first call.
std::string current_isa();

/// Pins one for the whole process (tests; before any model is packed or any kernel runs concurrently).
/// Throws input_error when it is not available.
void pin_isa(const std::string& name);

} // namespace troupe
