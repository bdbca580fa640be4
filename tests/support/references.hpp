#pragma once
// Models and results of other programs, which are not part of this repository.
#include <filesystem>

namespace troupe::testing {

/// The folder of references: the environment variable TROUPE_REFERENCES, or ../shared/models beside the
/// checkout. It may be absent: a test that needs it then ends with TROUPE_SKIP.
std::filesystem::path references();

} // namespace troupe::testing
