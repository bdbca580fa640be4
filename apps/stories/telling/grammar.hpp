#pragma once
// Small rules of English spelling.
#include <string>
#include <string_view>

namespace troupe::stories {

/// Whether "an" stands before this word: by its sound ("an hour", "a useful tool").
bool takes_an(std::string_view word);

/// Spells a text out: "a~ " becomes "a " or "an " by the word that follows; quotes become plain ones; a letter becomes a capital
/// at the start of the text and of a line, and after a sentence that ends in ". ", "! ", "? " or ".\" ". After "!\" " and "?\" "
/// a sentence may go on ("Why?" asked the fox), so nothing is changed there.
std::string spelled_out(std::string_view text);

} // namespace troupe::stories
