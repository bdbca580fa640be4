#pragma once
// How wide texts are on a terminal, and tables of them. The texts have no control characters, unless it says so.
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// How many columns of a terminal a text takes: two for wide East Asian characters and pictures, none for marks that combine.
size_t terminal_columns(std::string_view text);
/// The text, or its beginning with "…" behind it if it takes more than `columns`. Cuts between characters.
std::string cut_to_columns(std::string_view text, size_t columns);
/// A text that others have sent, with '?' in place of each control character, and of each byte that is no UTF-8.
std::string without_controls(std::string_view text);

struct table_column {
  std::string title;
  bool is_number = false; // Stands on the right of its column.
};
/// A line of titles and a line for each row, two spaces between columns, none at the end of a line. Each row has a cell for each column.
std::string table_text(const std::vector<table_column>& columns, const std::vector<std::vector<std::string>>& rows);

} // namespace troupe
