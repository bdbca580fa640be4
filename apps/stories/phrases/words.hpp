#pragma once
// Lists of small phrases that patterns name: "<said>".
#include <span>
#include <string_view>

namespace troupe::stories {

/// The list of this name; empty if there is none.
std::span<const std::string_view> phrase_list(std::string_view name);

} // namespace troupe::stories
