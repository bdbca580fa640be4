#include "apps/service/api/fields.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace troupe::service {
namespace {

std::string plain(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", number);
  return text;
}

[[noreturn]] void out_of_bounds(const json_node& node, double least, double most) {
  node.fail("must be between " + plain(least) + " and " + plain(most));
}

} // namespace

std::optional<json_node> find_any(const json_node& object, std::initializer_list<std::string_view> names) {
  for (const auto name : names)
    if (const auto found = object.find(name)) return found;
  return std::nullopt;
}

json_node require_any(const json_node& object, std::initializer_list<std::string_view> names) {
  const auto found = find_any(object, names);
  return found ? *found : object.get(*names.begin());
}

std::optional<double> number_field(const json_node& object, std::initializer_list<std::string_view> names, double least, double most) {
  const auto found = find_any(object, names);
  if (!found) return std::nullopt;
  const double value = found->number();
  if (!(value >= least && value <= most)) out_of_bounds(*found, least, most);
  return value;
}

int64_t integer_of(const json_node& node, int64_t least, int64_t most) {
  const auto& content = node.value().content;
  if (const auto* natural = std::get_if<uint64_t>(&content)) {
    if (*natural > uint64_t(INT64_MAX) || int64_t(*natural) < least || int64_t(*natural) > most)
      out_of_bounds(node, double(least), double(most));
    return int64_t(*natural);
  }
  const double value = node.number();
  if (value != std::floor(value)) node.fail_kind("an integer");
  if (!(value >= double(least) && value <= double(most) && std::abs(value) < 9e15)) out_of_bounds(node, double(least), double(most));
  return int64_t(value);
}

std::optional<int64_t> integer_field(const json_node& object, std::initializer_list<std::string_view> names, int64_t least, int64_t most) {
  const auto found = find_any(object, names);
  if (!found) return std::nullopt;
  return integer_of(*found, least, most);
}

std::string text_field(const json_node& object, std::string_view name, std::string_view otherwise) {
  return std::string(object.text_or(name, otherwise));
}

std::vector<std::string> texts_field(const json_node& object, std::initializer_list<std::string_view> names, size_t count_max) {
  const auto found = find_any(object, names);
  if (!found) return {};
  if (found->is_text()) return {found->text()};
  if (!found->is_array()) found->fail_kind("a string or an array of strings");
  if (found->size() > count_max) found->fail("has " + std::to_string(found->size()) + " elements; at most " + std::to_string(count_max));
  std::vector<std::string> texts;
  for (const auto& one : found->elements()) texts.push_back(one.text());
  return texts;
}

std::string choice_field(const json_node& object, std::string_view name, std::initializer_list<std::string_view> known,
                         std::string_view otherwise) {
  const auto found = object.find(name);
  if (!found) return std::string(otherwise);
  if (std::ranges::find(known, found->text()) != known.end()) return found->text();
  std::string list;
  for (const auto one : known) list += (list.empty() ? "" : ", ") + std::string(one);
  found->fail("must be one of: " + list);
}

} // namespace troupe::service
