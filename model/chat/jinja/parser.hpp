#pragma once
// From the text of a template to its tree.
#include "model/chat/jinja/tree.hpp"
#include <string_view>

namespace troupe::jinja {

/// Throws input_error with the line for what is no template, is nested too deeply, or uses a tag, filter or test that is not supported.
block parse_template(std::string_view source);

} // namespace troupe::jinja
