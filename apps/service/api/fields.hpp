#pragma once
// The fields of a request's JSON body. Null counts as absent. What is not acceptable ends in a json_error with its place, which becomes
// the `param` of the answer.
#include "model/formats/json.hpp"
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::service {

/// The first of these that there is: APIs have different names for the same.
std::optional<json_node> find_any(const json_node& object, std::initializer_list<std::string_view> names);

/// The same for one that must be there; else the first is missing.
json_node require_any(const json_node& object, std::initializer_list<std::string_view> names);

/// Within the bounds.
std::optional<double> number_field(const json_node& object, std::initializer_list<std::string_view> names, double least, double most);
/// An integer within the bounds; 3.0 is one.
std::optional<int64_t> integer_field(const json_node& object, std::initializer_list<std::string_view> names, int64_t least, int64_t most);
int64_t integer_of(const json_node& node, int64_t least, int64_t most);
std::string text_field(const json_node& object, std::string_view name, std::string_view otherwise);
/// A string, or a list of strings.
std::vector<std::string> texts_field(const json_node& object, std::initializer_list<std::string_view> names, size_t count_max);
/// One of these.
std::string choice_field(const json_node& object, std::string_view name, std::initializer_list<std::string_view> known,
                         std::string_view otherwise);

} // namespace troupe::service
