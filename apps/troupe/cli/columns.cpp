#include "apps/troupe/cli/columns.hpp"
#include "model/error.hpp"
#include "model/tokenizer/characters.hpp"
#include "model/utf8.hpp"
#include <algorithm>
#include <cstdint>

namespace troupe {
namespace {

bool is_wide(uint32_t c) {
  return (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) || (c >= 0xAC00 && c <= 0xD7A3)
         || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60)
         || (c >= 0xFFE0 && c <= 0xFFE6) || (c >= 0x1F300 && c <= 0x1F64F) || (c >= 0x1F680 && c <= 0x1F6FF)
         || (c >= 0x1F900 && c <= 0x1FAFF) || (c >= 0x20000 && c <= 0x3FFFD);
}

bool is_combining(uint32_t c) {
  return (c >= 0x0300 && c <= 0x036F) || (c >= 0x1AB0 && c <= 0x1AFF) || (c >= 0x200B && c <= 0x200F)
         || (c >= 0x20D0 && c <= 0x20FF) || (c >= 0xFE00 && c <= 0xFE0F) || (c >= 0xFE20 && c <= 0xFE2F);
}

/// One column for what is not valid, as terminals show it.
size_t columns_of_character(std::string_view text, utf8_step step) {
  if (step.state != utf8_state::whole) return 1;
  const uint32_t code_point = utf8_code_point(text.substr(0, step.bytes));
  return is_combining(code_point) ? 0 : is_wide(code_point) ? 2 : 1;
}

} // namespace

size_t terminal_columns(std::string_view text) {
  size_t columns = 0;
  for (size_t at = 0; at < text.size();) {
    const auto step = utf8_next(text, at);
    columns += columns_of_character(text.substr(at), step);
    at += step.bytes;
  }
  return columns;
}

std::string cut_to_columns(std::string_view text, size_t columns) {
  if (terminal_columns(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  size_t taken = 0, end = 0;
  while (end < text.size()) {
    const auto step = utf8_next(text, end);
    const size_t wide = columns_of_character(text.substr(end), step);
    if (taken + wide > columns - 1) break;
    taken += wide;
    end += step.bytes;
  }
  return std::string(text.substr(0, end)) + "…";
}

std::string without_controls(std::string_view text) {
  std::string clean;
  for (size_t at = 0; at < text.size();) {
    const auto step = utf8_next(text, at);
    const auto character = text.substr(at, step.bytes);
    const bool is_shown = step.state == utf8_state::whole && !is_control(utf8_code_point(character));
    clean += is_shown ? character : "?";
    at += step.bytes;
  }
  return clean;
}

std::string table_text(const std::vector<table_column>& columns, const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& column : columns) widths.push_back(terminal_columns(column.title));
  for (const auto& row : rows) {
    TROUPE_ASSERT(row.size() == columns.size());
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], terminal_columns(row[i]));
  }
  std::string text;
  const auto add_line = [&](const auto& cell_of) {
    std::string line;
    for (size_t i = 0; i < columns.size(); ++i) {
      const std::string& cell = cell_of(i);
      const std::string fill(widths[i] - terminal_columns(cell), ' ');
      if (i > 0) line += "  ";
      line += columns[i].is_number ? fill + cell : cell + fill;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  add_line([&](size_t i) -> const std::string& { return columns[i].title; });
  for (const auto& row : rows) add_line([&](size_t i) -> const std::string& { return row[i]; });
  return text;
}

} // namespace troupe
