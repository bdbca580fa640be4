#pragma once
// How wide texts are on a terminal. The texts have no control characters.
#include <cstddef>
#include <string>
#include <string_view>

namespace troupe {

/// How many columns of a terminal a text takes: two for wide East Asian characters and pictures, none for marks that combine.
size_t terminal_columns(std::string_view text);
/// The text, or its beginning with "…" behind it if it takes more than `columns`. Cuts between characters.
std::string cut_to_columns(std::string_view text, size_t columns);

} // namespace troupe
