#pragma once
// Answers that are one JSON text.
#include "apps/service/api/api_error.hpp"
#include "apps/service/http/exchange.hpp"
#include <string>

namespace troupe::service {

void respond_json(http::exchange& to, const std::string& body, int status = 200);
/// With Retry-After and the like, where it is worth while.
void respond_error(http::exchange& to, const api_error& error, api_form form);

} // namespace troupe::service
