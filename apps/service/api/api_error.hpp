#pragma once
// Why a request gets no answer, before it is put into the form of one API.
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace troupe::service {

/// what(): for a person.
struct api_error : std::runtime_error {
  api_error(int http_status, std::string error_code, const std::string& message, std::string field = {})
    : std::runtime_error(message), status(http_status), code(std::move(error_code)), param(std::move(field)) {}

  int status;         // Of HTTP.
  std::string code;   // For a program: "model_not_found".
  std::string param;  // The field of the request that it is about; or empty.
  std::optional<uint32_t> retry_after_ms = {}; // When it is worth while to ask again.
};

/// OpenAI's word for the kind of error that has this status.
std::string_view openai_type(int status);
/// Anthropic's.
std::string_view anthropic_type(int status);

enum class api_form : uint8_t { openai, anthropic };
/// The body of an answer that is an error.
std::string error_body(const api_error& error, api_form form);

} // namespace troupe::service
