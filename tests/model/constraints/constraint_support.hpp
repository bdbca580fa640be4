#pragma once
// What the tests of constraints share.
#include "model/constraints/automaton.hpp"
#include "model/constraints/constraint.hpp"
#include "model/constraints/matcher.hpp"
#include "model/constraints/token_index.hpp"
#include "model/error.hpp"
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace troupe {

/// The error of a constraint that is refused, or an empty text.
inline std::string error_of(constraint_kind kind, const std::string& text) {
  try {
    compile({kind, text});
    return {};
  } catch (const input_error& error) {
    return error.what();
  }
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// All bytes, then these.
inline std::shared_ptr<const token_index> bytes_and(const std::vector<std::string>& texts) {
  std::vector<std::string> all;
  for (int byte = 0; byte < 256; ++byte) all.emplace_back(1, char(byte));
  all.insert(all.end(), texts.begin(), texts.end());
  return std::make_shared<const token_index>(all);
}

inline constraint_matcher matcher_of(constraint_kind kind, const std::string& text) {
  return {compile({kind, text}), bytes_and({})};
}

/// Whether a text is one of the language.
inline bool accepts(constraint_matcher begun, std::string_view text) { return begun.advance(text) && begun.may_end(); }

} // namespace troupe
