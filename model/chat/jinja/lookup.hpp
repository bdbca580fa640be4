#pragma once
// Attributes, items and slices, as jinja2's sandbox looks them up. An attribute or item that is not there is undefined.
#include "model/chat/jinja/value.hpp"

namespace troupe::jinja {

/// one.name, as jinja2 looks it up: an attribute, else an item.
value get_attribute(evaluation& run, const value& one, std::string_view name);
/// one[key]: an item, else an attribute.
value get_item(evaluation& run, const value& one, const value& key);
/// one[begin:end:step]; none is left out. Fails for what has no slices.
value get_slice(evaluation& run, const value& one, const value& begin, const value& end, const value& step);

} // namespace troupe::jinja
