#include "model/chat/jinja/methods.hpp"
#include "model/chat/jinja/arguments.hpp"
#include "model/chat/jinja/comparison.hpp"
#include <algorithm>
#include <span>

namespace troupe::jinja {
namespace {

struct named_function {
  std::string_view name;
  native_function function;
};

value dict_get(evaluation& run, const value& receiver, const call_arguments& arguments) {
  if (!arguments.named.empty()) run.fail("get takes no named arguments");
  const bound_arguments given(run, "get", arguments, {"key", "default"}, 1);
  if (const value* found = find_key(run, *receiver.as_dict(), given[0])) return *found;
  return given.has(1) ? given[1] : value{none{}};
}

template <sequence_kind kind>
value dict_view(evaluation& run, const value& receiver, const call_arguments& arguments) {
  const bound_arguments given(run, "this method", arguments, {});
  std::vector<value> items;
  for (const auto& [key, item] : receiver.as_dict()->items) {
    if (kind == sequence_kind::items) {
      items.push_back(make_list(run, {key, item}, sequence_kind::tuple));
    } else {
      items.push_back(kind == sequence_kind::keys ? key : item);
    }
  }
  return make_list(run, std::move(items), kind);
}

value copy(evaluation& run, const value& receiver, const call_arguments& arguments) {
  const bound_arguments given(run, "copy", arguments, {});
  return receiver;
}

value list_count(evaluation& run, const value& receiver, const call_arguments& arguments) {
  const bound_arguments given(run, "count", arguments, {"value"}, 1);
  const auto& items = receiver.as_sequence()->items;
  return {int64_t(std::count_if(items.begin(), items.end(), [&](const value& one) { return are_equal(run, one, given[0]); }))};
}

value list_index(evaluation& run, const value& receiver, const call_arguments& arguments) {
  const bound_arguments given(run, "index", arguments, {"value"}, 1);
  const auto& items = receiver.as_sequence()->items;
  for (size_t i = 0; i < items.size(); ++i) {
    if (are_equal(run, items[i], given[0])) return {int64_t(i)};
  }
  run.fail("index: no item is equal to this");
}

constexpr named_function dict_methods[] = {{"get", dict_get},
                                           {"items", dict_view<sequence_kind::items>},
                                           {"keys", dict_view<sequence_kind::keys>},
                                           {"values", dict_view<sequence_kind::values>},
                                           {"copy", copy},
                                           {"fromkeys", nullptr}};
// pop and clear: jinja2's sandbox forgot them. Here nothing changes a list.
constexpr named_function list_methods[] = {
    {"count", list_count}, {"index", list_index}, {"copy", copy}, {"pop", nullptr}, {"clear", nullptr}};
constexpr named_function tuple_methods[] = {{"count", list_count}, {"index", list_index}};
constexpr named_function view_methods[] = {{"isdisjoint", nullptr}, {"mapping", nullptr}};
constexpr named_function range_methods[] = {
    {"count", list_count}, {"index", list_index}, {"start", nullptr}, {"stop", nullptr}, {"step", nullptr}};
constexpr named_function integer_methods[] = {{"as_integer_ratio", nullptr}, {"bit_count", nullptr},  {"bit_length", nullptr},
                                              {"conjugate", nullptr},        {"denominator", nullptr}, {"from_bytes", nullptr},
                                              {"imag", nullptr},             {"numerator", nullptr},  {"real", nullptr},
                                              {"to_bytes", nullptr}};
constexpr named_function float_methods[] = {{"as_integer_ratio", nullptr}, {"conjugate", nullptr}, {"fromhex", nullptr}, {"hex", nullptr},
                                            {"imag", nullptr},             {"is_integer", nullptr}, {"real", nullptr}};
constexpr named_function iterator_methods[] = {{"close", nullptr}, {"send", nullptr}, {"throw", nullptr}};

constexpr std::string_view changes_dict[] = {"clear", "pop", "popitem", "setdefault", "update"};
constexpr std::string_view changes_list[] = {"append", "extend", "insert", "remove", "reverse", "sort"};

struct kind_methods {
  std::span<const named_function> functions;
  std::span<const std::string_view> changing;
};

kind_methods methods_of(const value& one) {
  if (one.as_dict()) return {dict_methods, changes_dict};
  if (const sequence* list = one.as_sequence()) {
    if (list->kind == sequence_kind::list) return {list_methods, changes_list};
    if (list->kind == sequence_kind::tuple) return {tuple_methods, {}};
    if (list->kind == sequence_kind::range) return {range_methods, {}};
    return {view_methods, {}};
  }
  if (one.as_bool() || one.as_integer()) return {integer_methods, {}};
  if (one.as_float()) return {float_methods, {}};
  if (one.as<iterator>()) return {iterator_methods, {}};
  return {};
}

/// Exists in Python; calling it is refused.
constexpr std::string_view other_text_methods[] = {"casefold", "encode", "expandtabs", "format_map", "isdecimal", "isidentifier",
                                                   "isprintable", "maketrans", "swapcase", "translate"};

} // namespace

std::optional<value> find_method(evaluation& run, const value& one, std::string_view name) {
  const auto unsafe = [&] {
    return make_undefined("access to attribute '" + std::string(name) + "' of '" + std::string(type_name(one)) + "' object is unsafe");
  };
  if (name.size() > 4 && name.substr(0, 2) == "__" && name.substr(name.size() - 2) == "__") return unsafe();
  const auto made = [&](native_function function) {
    return make_object(run, std::make_shared<function_object>(std::string(name), function, one));
  };
  if (one.as_text()) {
    if (const auto function = find_text_method(name)) return made(function);
    if (std::count(std::begin(other_text_methods), std::end(other_text_methods), name) > 0) return made(nullptr);
    return std::nullopt;
  }
  const auto [functions, changing] = methods_of(one);
  for (const auto& candidate : functions) {
    if (candidate.name == name) return made(candidate.function);
  }
  if (std::count(changing.begin(), changing.end(), name) > 0) return unsafe();
  return std::nullopt;
}

} // namespace troupe::jinja
