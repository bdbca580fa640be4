#pragma once
// A request of HTTP/1.1 (RFC 9110, 9112) as handlers see it, and how a request is refused.
#include "model/error.hpp"
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::http {

/// A request that is refused with this status. `code` is a word for programs ("not_found"), what() a sentence for people. A handler
/// may throw it, too; any other input_error is answered with 400.
struct http_error : input_error {
  http_error(int status_, std::string code_, const std::string& message)
      : input_error(message), status(status_), code(std::move(code_)) {}
  int status;
  std::string code;
};

using header_list = std::vector<std::pair<std::string, std::string>>;

/// Read completely, limits checked.
struct request {
  std::string method; // As it came, for example "GET".
  std::string path;   // Percent-decoded, valid UTF-8 without control characters. It begins with '/', or is "*" (OPTIONS).
  std::string query;  // As it came, without '?'.
  std::string body;   // What of the body was not given away by exchange::take_body.
  std::string id;     // The client's x-request-id if it is sane (1 to 128 letters, digits, '-', '_', '.', ':'), else "req-<hex>".
  header_list headers; // Names in lower case, in the order in which they came; trailers of a chunked body are not among them.

  /// The value of the first header of that name, in any case; empty if there is none.
  std::string_view header(std::string_view name) const;
  /// Percent-decoded, '+' is a space; of several of one name the last. Throws http_error (400) for invalid escapes.
  std::map<std::string, std::string> query_parameters() const;
};

/// Sets path and query from the target of a request line: "/path?query", "http://host/path?query" or "*". Throws http_error (400).
void set_target(request& to, std::string_view target);

/// Whether a client's x-request-id is used.
bool is_sane_request_id(std::string_view id);

bool equal_ignoring_case(std::string_view a, std::string_view b);

} // namespace troupe::http
