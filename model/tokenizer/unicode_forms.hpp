#pragma once
// Unicode's normalisation forms (Unicode Standard Annex 15) and lower case, of texts that know where they came from.
#include "model/tokenizer/rewritten_text.hpp"

namespace troupe {

struct unicode_form {
  bool is_compatible; // NFKC, NFKD.
  bool is_composed;   // NFC, NFKC.
};

/// Bytes that are not UTF-8 stay. A base character and its marks change as a whole: each byte of what they become is from all of them.
/// Time O(n log n), whatever the text.
rewritten_text to_form(const rewritten_text& text, unicode_form form);

/// Each character by itself: U+03A3 at the end of a word becomes U+03C3, as everywhere.
rewritten_text to_lower_case(const rewritten_text& text);

/// NFC: "e" and U+0301 become "é".
std::string compose(std::string_view text);

} // namespace troupe
