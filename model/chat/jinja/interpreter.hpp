#pragma once
// Renders the tree of a template.
#include "model/chat/jinja/tree.hpp"
#include "model/formats/json.hpp"
#include <string>

namespace troupe::jinja {

/// The text that the template makes of these variables, an object. "strftime_now", a date as 2026-11-30 or 2026-11-30T08:15:00, becomes
/// the function of that name. Throws input_error.
std::string render(const block& body, const json_value& variables);

} // namespace troupe::jinja
