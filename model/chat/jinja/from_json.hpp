#pragma once
#include "model/chat/jinja/value.hpp"
#include "model/formats/json.hpp"

namespace troupe::jinja {

/// Input_error for text that is not UTF-8, an integer of more than 63 bits, an object with a name twice.
value from_json(evaluation& run, const json_value& one);

} // namespace troupe::jinja
