// Renders chat templates for the scripts that compare with jinja2: reads one JSON object a line, {"template", "variables"}, and answers
// each with a line {"text"} or {"error"}.
#include "model/chat/chat_template.hpp"
#include "model/error.hpp"
#include "model/formats/json.hpp"
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

namespace {

nlohmann::json answer(const std::string& line) {
  try {
    const troupe::json_file request("standard input", line);
    const troupe::json_value variables{request.root().get("variables").members()};
    return {{"text", troupe::chat_template(request.root().get("template").text()).render(variables)}};
  } catch (const troupe::input_error& error) {
    return {{"error", error.what()}};
  }
}

} // namespace

int main() {
  std::ios::sync_with_stdio(false);
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << answer(line).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
  }
}
