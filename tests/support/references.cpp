#include "support/references.hpp"
#include <cstdlib>

namespace troupe::testing {

std::filesystem::path references() {
  const char* named = std::getenv("TROUPE_REFERENCES");
  if (named != nullptr && *named != '\0') return named;
  return std::filesystem::path(TROUPE_SOURCE_DIR) / "../shared/models";
}

} // namespace troupe::testing
