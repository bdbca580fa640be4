#include "apps/service/http/server_options.hpp"
#include <nlohmann/json.hpp>

namespace troupe::http {

std::string default_error_body(int status, const std::string& code, const std::string& message, const std::string&) {
  const nlohmann::ordered_json body{{"error",
                                     {{"message", message},
                                      {"type", status < 500 ? "invalid_request_error" : "server_error"},
                                      {"param", nullptr},
                                      {"code", code}}}};
  return body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

} // namespace troupe::http
