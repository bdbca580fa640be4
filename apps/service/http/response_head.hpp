#pragma once
// The first lines of an answer.
#include "apps/service/http/request.hpp"
#include <cstdint>
#include <ctime>
#include <optional>

namespace troupe::http {

struct response_head {
  int status = 200;
  const std::string& content_type, &request_id;
  const header_list& headers;
  std::optional<uint64_t> content_length; // None: chunked, or until the connection closes.
  bool chunked = false;
  bool keeps_alive = true;
  bool http_1_1 = true; // Of the request.
};

/// Status line and headers with the empty line. Control characters in headers: broken_invariant.
std::string to_text(const response_head& head, std::time_t now);

/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7), whatever the locale.
std::string http_date(std::time_t time);

/// Whether answers of this status have no body, ever.
bool has_no_body(int status);

} // namespace troupe::http
