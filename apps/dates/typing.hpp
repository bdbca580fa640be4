#pragma once
// What happens to a text on its way through a keyboard: other cases, accents that are missing, slips. The date that it names stays
// what it was, for a reader with the rules of docs/dates.md.
#include "apps/generators/choice.hpp"
#include <string>

namespace troupe::dates {

enum class slips { anywhere, not_in_letters };

/// Most texts come back as they were. At most one slip: a space, point or comma that is missing or a space too much; two letters of a long
/// word exchanged, one left out or doubled. Numbers keep their digits, and no two of them grow together.
std::string typed(generators::choice& draws, std::string text, slips where);

} // namespace troupe::dates
