#pragma once
// Dates as people write them, with what they mean: the training data of a small model that reads dates. docs/dates.md
#include "apps/dates/languages/language.hpp"
#include "apps/generators/split.hpp"
#include <cstdint>
#include <string>

namespace troupe::dates {

struct date_text {
  std::string source; // UTF-8, one line, no tab: "am 3. März 2021".
  std::string target; // ISO 8601: "2021-03-03".
  std::string_view language; // Its code.
  style how;
  double bits; // The information of the choices that made it: apps/generators/choice.hpp.
};

/// Text `index` of `seed`. The same bytes on every machine; no text depends on another one.
date_text make_date_text(uint64_t seed, uint64_t index, generators::part from);

} // namespace troupe::dates
