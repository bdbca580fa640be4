#include "apps/service/api/api_error.hpp"

#include "apps/service/api/json_text.hpp"

namespace troupe::service {

std::string_view openai_type(int status) {
  switch (status) {
  case 401: return "authentication_error";
  case 403: return "permission_error";
  case 429: return "rate_limit_error";
  }
  return status < 500 ? "invalid_request_error" : "server_error";
}

std::string_view anthropic_type(int status) {
  switch (status) {
  case 401: return "authentication_error";
  case 403: return "permission_error";
  case 404: return "not_found_error";
  case 408: return "timeout_error";
  case 413: return "request_too_large";
  case 429: return "rate_limit_error";
  case 503: return "overloaded_error";
  }
  return status < 500 ? "invalid_request_error" : "api_error";
}

std::string error_body(const api_error& error, api_form form) {
  if (form == api_form::anthropic)
    return to_text({{"type", "error"}, {"error", {{"type", anthropic_type(error.status)}, {"message", error.what()}}}});
  return to_text({{"error",
                   {{"message", error.what()},
                    {"type", openai_type(error.status)},
                    {"param", error.param.empty() ? json() : json(error.param)},
                    {"code", error.code.empty() ? json() : json(error.code)}}}});
}

} // namespace troupe::service
