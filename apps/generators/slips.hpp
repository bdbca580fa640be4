#pragma once
// Slips of the keyboard.
#include "apps/generators/choice.hpp"
#include <string>

namespace troupe::generators {

/// Two neighbouring letters exchanged, one left out or one doubled: in a word of at least `letters` plain letters (>= 3), never its first.
/// Without such a word the text stays as it is.
void slip_in_a_word(choice& draws, std::string& text, size_t letters);

} // namespace troupe::generators
