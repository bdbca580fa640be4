#pragma once
// From the text of a template to its tokens, as jinja2 cuts it with trim_blocks and lstrip_blocks.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::jinja {

enum class token_kind : uint8_t {
  data, // What stands outside of tags, without what white space control takes away.
  block_begin,
  block_end,
  variable_begin,
  variable_end,
  name,
  text, // A string literal, its escapes replaced.
  integer,
  number,
  symbol, // + ( // and so on.
  end,
};

struct token {
  token_kind kind = token_kind::end;
  uint32_t line = 0;
  std::string text; // Of data, names, text and symbols.
  int64_t integer = 0;
  double number = 0;
};

/// Throws input_error with the line: the text of a template must be at most template_bytes_max bytes of UTF-8, and each tag in it must
/// end. The last token is `end`.
std::vector<token> read_tokens(std::string_view source);

/// "chat template, line 3: reason", as an input_error.
[[noreturn]] void fail_at_line(uint32_t line, std::string_view reason);

} // namespace troupe::jinja
