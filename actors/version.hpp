#pragma once
// Which troupe this is. The macros are of the headers that a program was compiled with, version() is of the library that it runs with:
// they may differ (docs/embedding.md, "ABI").
#define TROUPE_VERSION_MAJOR 0
#define TROUPE_VERSION_MINOR 1
#define TROUPE_VERSION_PATCH 0
/// 100 is 0.1.0: for comparisons, as in #if TROUPE_VERSION_NUMBER >= 200.
#define TROUPE_VERSION_NUMBER (TROUPE_VERSION_MAJOR * 10000 + TROUPE_VERSION_MINOR * 100 + TROUPE_VERSION_PATCH)

#if __cplusplus < 202002L
#error "troupe needs C++20: compile with -std=c++20"
#endif

namespace troupe {

/// As "0.1.0".
const char* version() noexcept;

} // namespace troupe
