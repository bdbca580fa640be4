#include "model/chat/jinja/token_cursor.hpp"

namespace troupe::jinja {

void token_cursor::fail_here(std::string_view wanted) const {
  std::string found;
  switch (current().kind) {
  case token_kind::name:
  case token_kind::symbol: found = "'" + current().text + "'"; break;
  case token_kind::text: found = "a string"; break;
  case token_kind::integer:
  case token_kind::number: found = "a number"; break;
  case token_kind::block_end: found = "the end of the tag"; break;
  case token_kind::variable_end: found = "'}}'"; break;
  case token_kind::end: found = "the end of the template"; break;
  default: found = "text"; break;
  }
  fail("expected " + std::string(wanted) + ", found " + found);
}

} // namespace troupe::jinja
