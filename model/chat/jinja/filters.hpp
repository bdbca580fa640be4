#pragma once
// Filters: value|name(arguments). What each does is jinja2's; tojson is the one of transformers, without HTML in it.
#include "model/chat/jinja/tree.hpp"

namespace troupe::jinja {

/// Null for a name that is none, or is not supported.
filter_function find_filter(std::string_view name);

struct named_filter {
  std::string_view name;
  filter_function function;
};

// The tables of text_filters.cpp, list_filters.cpp, item_filters.cpp and number_filters.cpp; the last one has no name.
extern const named_filter text_filters[];
extern const named_filter list_filters[];
extern const named_filter item_filters[];
extern const named_filter number_filters[];

} // namespace troupe::jinja
