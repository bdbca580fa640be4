#include "model/chat/jinja/from_json.hpp"
#include "model/chat/jinja/comparison.hpp"
#include "model/utf8.hpp"

namespace troupe::jinja {
namespace {

value text_value(evaluation& run, const std::string& bytes) {
  if (!is_utf8(bytes)) run.fail("a variable has text that is not UTF-8");
  return make_text(run, bytes);
}

} // namespace

value from_json(evaluation& run, const json_value& one) {
  const level deeper(run);
  if (const bool* flag = std::get_if<bool>(&one.content)) return {*flag};
  if (const int64_t* integer = std::get_if<int64_t>(&one.content)) return {*integer};
  if (const double* number = std::get_if<double>(&one.content)) return {*number};
  if (const std::string* bytes = std::get_if<std::string>(&one.content)) return text_value(run, *bytes);
  if (const uint64_t* natural = std::get_if<uint64_t>(&one.content)) {
    if (*natural > uint64_t(INT64_MAX)) run.fail("a variable has an integer beyond 64 bits");
    return {int64_t(*natural)};
  }
  if (const auto* array = std::get_if<json_value::array>(&one.content)) {
    std::vector<value> items;
    for (const json_value& item : *array) items.push_back(from_json(run, item));
    return make_list(run, std::move(items));
  }
  if (const auto* members = std::get_if<json_value::object>(&one.content)) {
    std::vector<std::pair<value, value>> items;
    for (const auto& member : *members) items.emplace_back(text_value(run, member.name), from_json(run, member.value));
    return make_dict_of(run, std::move(items));
  }
  return {none{}};
}

} // namespace troupe::jinja
