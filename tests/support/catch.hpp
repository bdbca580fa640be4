#pragma once
// One include for both Catch2 2 (Debian 12) and 3 (Debian 13).
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
#else
#include <catch2/catch.hpp>
inline auto ContainsSubstring(const std::string& text) { return Catch::Matchers::Contains(text); }
#endif
#include <iostream>
#include <string>

/// Ends a test that cannot run here, visibly: ctest reports it as skipped, with the reason in its output.
#define TROUPE_SKIP(reason)                                                                                  \
  do {                                                                                                       \
    std::cout << "SKIPPED: " << (reason) << std::endl;                                                       \
    return;                                                                                                  \
  } while (false)
