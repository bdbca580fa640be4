#pragma once
// Tests: value is name(arguments).
#include "model/chat/jinja/tree.hpp"

namespace troupe::jinja {

/// Null for a name that is none, or is not supported.
test_function find_test(std::string_view name);

} // namespace troupe::jinja
