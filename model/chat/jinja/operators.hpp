#pragma once
// Python's arithmetic. Each fails where Python raises, and where an integer leaves 64 bits.
#include "model/chat/jinja/value.hpp"

namespace troupe::jinja {

/// operation: + - * / // % **
value arithmetic(evaluation& run, std::string_view operation, const value& a, const value& b);
value negate(evaluation& run, const value& one, bool is_negative);
/// HTML's &, <, >, " and ', as escaped text.
value escape(evaluation& run, const value& one);

} // namespace troupe::jinja
