#pragma once
// JSON that is sent. What is received is read with model/formats/json.hpp.
#include "model/formats/json.hpp"
#include <nlohmann/json.hpp>
#include <string>

namespace troupe::service {

using json = nlohmann::ordered_json;

/// On one line. What is not UTF-8 becomes U+FFFD.
std::string to_text(const json& value);
json to_json(const json_value& value);
json_value to_value(const json& value);

} // namespace troupe::service
