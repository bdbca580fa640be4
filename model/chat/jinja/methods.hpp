#pragma once
// The methods of strings, dicts, lists and tuples. Those that change what they are called on are not there, as in jinja2's immutable
// sandbox.
#include "model/chat/jinja/value.hpp"

namespace troupe::jinja {

/// The method of that name, to be called; nothing where Python has none, undefined for one that must not be called.
std::optional<value> find_method(evaluation& run, const value& one, std::string_view name);

/// The functions of text_methods.cpp.
native_function find_text_method(std::string_view name);

} // namespace troupe::jinja
