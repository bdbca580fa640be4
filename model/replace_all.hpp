#pragma once
#include <string>
#include <string_view>

namespace troupe {

/// From the left; what was put in is not looked through again. what: not empty.
inline void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) text.replace(at, what.size(), with);
}

} // namespace troupe
