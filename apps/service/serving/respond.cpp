#include "apps/service/serving/respond.hpp"

#include <cmath>
#include <utility>

namespace troupe::service {

void respond_json(http::exchange& to, const std::string& body, int status) {
  to.respond({.status = status, .content_type = "application/json", .body = body, .headers = {}});
}

void respond_error(http::exchange& to, const api_error& error, api_form form) {
  http::response answer{.status = error.status, .content_type = "application/json", .body = error_body(error, form), .headers = {}};
  if (error.retry_after_ms) {
    const auto seconds = uint64_t(std::ceil(double(*error.retry_after_ms) / 1000));
    answer.headers.emplace_back("retry-after", std::to_string(seconds));
    answer.headers.emplace_back("retry-after-ms", std::to_string(*error.retry_after_ms));
    answer.headers.emplace_back("x-should-retry", "true");
  } else if (error.status == 408 || error.status == 409) {
    answer.headers.emplace_back("x-should-retry", "false"); // Clients would do it by themselves.
  }
  if (error.status == 401) answer.headers.emplace_back("www-authenticate", "Bearer");
  to.respond(std::move(answer));
}

} // namespace troupe::service
