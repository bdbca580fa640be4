#include "actors/version.hpp"

#define TROUPE_TEXT_OF(number) #number
#define TROUPE_TEXT(number) TROUPE_TEXT_OF(number)

namespace troupe {

const char* version() noexcept {
  return TROUPE_TEXT(TROUPE_VERSION_MAJOR) "." TROUPE_TEXT(TROUPE_VERSION_MINOR) "." TROUPE_TEXT(TROUPE_VERSION_PATCH);
}

} // namespace troupe
