#include "model/chat/jinja/value.hpp"
#include "model/chat/jinja/characters.hpp"
#include <algorithm>

namespace troupe::jinja {
namespace {

constexpr uint64_t object_bytes = 64; // About what a value takes beside its contents.

} // namespace

value object::call(evaluation& run, const call_arguments&) {
  run.fail("a " + std::string(type_name()) + " cannot be called");
}

std::string object::print(evaluation& run) {
  run.fail("a " + std::string(type_name()) + " cannot be printed");
}

function_object::function_object(std::string name, native_function function, value receiver)
    : object(depth_of(receiver) + 1), name_(std::move(name)), function_(function), receiver_(std::move(receiver)) {}

value function_object::call(evaluation& run, const call_arguments& arguments) {
  if (function_ == nullptr) run.fail("the method " + name_ + " of a " + std::string(jinja::type_name(receiver_)) + " is not supported");
  return function_(run, receiver_, arguments);
}

value make_undefined(std::string reason) { return {undefined{std::make_shared<const std::string>(std::move(reason))}}; }

value make_text(evaluation& run, std::string bytes, bool is_escaped) {
  run.make(object_bytes + bytes.size());
  run.spend_search(bytes.size());
  const size_t characters = count_characters(bytes);
  return {std::make_shared<const text>(text{std::move(bytes), characters, is_escaped})};
}

uint32_t depth_of(const value& one) {
  if (const auto* list = one.as_sequence()) return list->depth;
  if (const auto* map = one.as_dict()) return map->depth;
  if (const auto* other = one.as_object()) return other->depth();
  return 0;
}

uint32_t check_depth(evaluation& run, uint32_t depth) {
  if (depth > tree_depth_max) run.fail("a value is nested too deeply");
  return depth;
}

std::shared_ptr<const sequence> make_sequence(evaluation& run, std::vector<value> items, sequence_kind kind) {
  run.make(object_bytes + items.size() * sizeof(value));
  run.spend(1 + items.size() / 8);
  sequence made{.kind = kind, .items = std::move(items)};
  uint32_t depth = 0;
  for (const value& item : made.items) depth = std::max(depth, depth_of(item));
  made.depth = check_depth(run, depth + 1);
  return std::make_shared<const sequence>(std::move(made));
}

value make_list(evaluation& run, std::vector<value> items, sequence_kind kind) { return {make_sequence(run, std::move(items), kind)}; }

value make_iterator(evaluation& run, std::vector<value> items) {
  return make_object(run, std::make_shared<iterator>(make_sequence(run, std::move(items))));
}

value make_dict(evaluation& run, std::vector<std::pair<value, value>> items) {
  run.make(object_bytes + items.size() * 2 * sizeof(value));
  dict made{.items = std::move(items)};
  uint32_t depth = 0;
  for (const auto& [key, item] : made.items) depth = std::max({depth, depth_of(key), depth_of(item)});
  made.depth = check_depth(run, depth + 1);
  return {std::make_shared<const dict>(std::move(made))};
}

value make_object(evaluation& run, std::shared_ptr<object> made) {
  run.make(object_bytes * 2);
  check_depth(run, made->depth());
  return {std::move(made)};
}

std::string_view type_name(const value& one) {
  constexpr std::string_view names[] = {"undefined", "NoneType", "bool", "int", "float", "str"};
  if (one.content.index() < std::size(names)) return names[one.content.index()];
  if (one.as_dict()) return "dict";
  if (const auto* other = one.as_object()) return other->type_name();
  constexpr std::string_view kinds[] = {"list", "tuple", "range", "dict_keys", "dict_values", "dict_items"};
  return kinds[size_t(one.as_sequence()->kind)];
}

} // namespace troupe::jinja
