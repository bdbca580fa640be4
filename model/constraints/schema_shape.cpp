#include "model/constraints/schema_shape.hpp"
#include "model/constraints/json_texts.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace troupe {
namespace {

template <class T> const T* as(const json_value& value) { return std::get_if<T>(&value.content); }

/// As a JSON pointer spells it.
std::string escaped(const std::string& name) {
  std::string out;
  for (const char c : name) {
    if (c == '~') out += "~0";
    else if (c == '/') out += "~1";
    else out += c;
  }
  return out;
}

void append(schema_list& to, const schema_list& more) {
  to.insert(to.end(), more.begin(), more.end());
  std::ranges::sort(to);
  const auto again = std::ranges::unique(to);
  to.erase(again.begin(), again.end());
}

schema_list joined(schema_list a, const schema_list& b) {
  append(a, b);
  return a;
}

const schema_list* find_property(const value_shape& shape, const std::string& name) {
  const auto found = std::ranges::find(shape.properties, name, &std::pair<std::string, schema_list>::first);
  return found == shape.properties.end() ? nullptr : &found->second;
}

/// A bound that is at least as tight as both.
void tighten(std::optional<decimal>& bound, bool& excluded, const std::optional<decimal>& other, bool other_excluded, int sign) {
  if (!other) return;
  const int order = bound ? sign * compare(*other, *bound) : 1;
  if (order > 0) {
    bound = other;
    excluded = other_excluded;
  } else if (order == 0) {
    excluded |= other_excluded;
  }
}

bool is_within(const value_shape& shape, const decimal& number) {
  if (shape.least && compare(number, *shape.least) < int(shape.above_least)) return false;
  if (shape.most && compare(number, *shape.most) > -int(shape.below_most)) return false;
  return true;
}

/// Not when no value can be both; two numbers or two texts only where their values are listed.
bool have_common(const value_shape& a, const value_shape& b) {
  return std::ranges::any_of(*a.values, [&](const json_value* one) {
    return std::ranges::any_of(*b.values, [&](const json_value* other) { return are_equal(*one, *other); });
  });
}

} // namespace

uint8_t kind_of(const json_value& value) {
  constexpr uint8_t kinds[] = {value_kind::null, value_kind::boolean, value_kind::whole, value_kind::whole, value_kind::other_number,
                               value_kind::text, value_kind::array,   value_kind::object};
  if (const auto* number = as<double>(value); number && *number == std::floor(*number)) return value_kind::whole;
  return kinds[value.content.index()];
}

std::string to_json_text(const json_value& value) {
  if (as<std::nullptr_t>(value)) return "null";
  if (const auto* flag = as<bool>(value)) return *flag ? "true" : "false";
  if (const auto* number = as<uint64_t>(value)) return std::to_string(*number);
  if (const auto* number = as<int64_t>(value)) return std::to_string(*number);
  if (const auto* number = as<double>(value)) {
    std::array<char, 40> digits;
    return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), *number).ptr};
  }
  if (const auto* text = as<std::string>(value)) return json_quoted(*text);
  std::string text;
  if (const auto* elements = as<json_value::array>(value)) {
    for (const auto& element : *elements) text += (text.empty() ? "[" : ", ") + to_json_text(element);
    return text.empty() ? "[]" : text + "]";
  }
  for (const auto& [name, member] : std::get<json_value::object>(value.content))
    text += (text.empty() ? "{" : ", ") + json_quoted(name) + ": " + to_json_text(member);
  return text.empty() ? "{}" : text + "}";
}

decimal decimal_of(const json_value& value) {
  if (const auto* number = as<double>(value)) {
    std::array<char, 400> digits;
    return to_decimal({digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), *number, std::chars_format::fixed).ptr});
  }
  return to_decimal(to_json_text(value));
}

bool are_equal(const json_value& a, const json_value& b) {
  if (kind_of(a) != kind_of(b)) return false;
  if (kind_of(a) & value_kind::number) return compare(decimal_of(a), decimal_of(b)) == 0;
  if (const auto* elements = as<json_value::array>(a))
    return std::ranges::equal(*elements, std::get<json_value::array>(b.content), are_equal);
  if (const auto* members = as<json_value::object>(a)) {
    const auto& others = std::get<json_value::object>(b.content);
    return members->size() == others.size() && std::ranges::all_of(*members, [&](const json_member& member) {
      const auto found = std::ranges::find(others, member.name, &json_member::name);
      return found != others.end() && are_equal(member.value, found->value);
    });
  }
  return to_json_text(a) == to_json_text(b);
}

schema_reader::schema_reader(const json_value& root) : root_(root) { places_[&root] = "#"; }

void schema_reader::fail(const std::string& place, const std::string& reason) const {
  throw input_error("the JSON schema at " + place + ": " + reason);
}

std::string schema_reader::place(const schema_list& schemas) const { return schemas.empty() ? "#" : places_.at(schemas.front()); }

std::vector<value_shape> schema_reader::shapes_of(const schema_list& schemas) {
  std::vector<value_shape> shapes{{}};
  for (const auto* schema : schemas) shapes = cross(shapes, read(*schema, 0), places_.at(schema));
  return shapes;
}

schema_list schema_reader::child(const json_value& schema, const std::string& place) {
  places_.try_emplace(&schema, place);
  if (!as<json_value::object>(schema) && !as<bool>(schema)) fail(place, "wanted a schema: an object, true or false");
  if (const auto* flag = as<bool>(schema); flag && *flag) return {};
  return {&schema};
}

std::vector<value_shape> schema_reader::read(const json_value& schema, int depth) {
  const auto where = places_.at(&schema);
  if (const auto* flag = as<bool>(schema)) return *flag ? std::vector<value_shape>{{}} : std::vector<value_shape>{};
  if (const auto known = known_.find(&schema); known != known_.end()) return known->second;
  if (depth > depth_max) fail(where, "references or combinations lead to each other without end");
  const auto* keywords = as<json_value::object>(schema);
  if (!keywords) fail(where, "wanted a schema: an object, true or false");
  value_shape own;
  for (const auto& keyword : *keywords) read_keyword(schema, keyword, own);
  std::vector<value_shape> shapes{own};
  for (const auto& [name, value] : *keywords) {
    const auto at = where + "/" + name;
    if (name == "$ref") {
      const auto* reference = as<std::string>(value);
      if (!reference) fail(at, "wanted a text");
      shapes = cross(shapes, read(resolve(*reference, at), depth + 1), at);
    } else if (name == "allOf" || name == "anyOf" || name == "oneOf") {
      const auto* parts = as<json_value::array>(value);
      if (!parts || parts->empty()) fail(at, "wanted a list of schemas");
      if (name != "allOf") {
        shapes = cross(shapes, read_choice(value, at, depth, name == "oneOf"), at);
        continue;
      }
      for (size_t i = 0; i < parts->size(); ++i) {
        child((*parts)[i], at + "/" + std::to_string(i));
        shapes = cross(shapes, read((*parts)[i], depth + 1), at);
      }
    }
  }
  return known_[&schema] = std::move(shapes);
}

std::vector<value_shape> schema_reader::read_choice(const json_value& choices, const std::string& where, int depth, bool exclusive) {
  std::vector<value_shape> all;
  for (size_t i = 0; const auto& one : std::get<json_value::array>(choices.content)) {
    child(one, where + "/" + std::to_string(i++));
    const auto shapes = read(one, depth + 1);
    if (exclusive)
      for (const auto& shape : shapes)
        for (const auto& before : all)
          if (!are_disjoint(shape, before, 0))
            fail(where, "it is not certain that only one of these can hold for a value: give them different types, or objects a required "
                        "property with different constants; or use anyOf");
    all.insert(all.end(), shapes.begin(), shapes.end());
    if (all.size() > shapes_max) fail(where, "more than " + std::to_string(shapes_max) + " combinations");
  }
  return all;
}

std::vector<value_shape> schema_reader::cross(const std::vector<value_shape>& left, const std::vector<value_shape>& right,
                                              const std::string& where) {
  std::vector<value_shape> both;
  for (const auto& a : left)
    for (const auto& b : right) {
      work_ += 1 + a.properties.size() + b.properties.size();
      if (work_ > work_max) fail(where, "there is too much to combine");
      if (auto one = merged(a, b, where)) both.push_back(std::move(*one));
      if (both.size() > shapes_max) fail(where, "more than " + std::to_string(shapes_max) + " combinations");
    }
  return both;
}

std::optional<value_shape> schema_reader::merged(const value_shape& a, const value_shape& b, const std::string& where) {
  value_shape both = a;
  both.kinds &= b.kinds;
  if (both.kinds == 0) return std::nullopt;
  both.mentioned |= b.mentioned;
  if (b.values) {
    if (!both.values) both.values = b.values;
    else
      std::erase_if(*both.values, [&](const json_value* one) {
        return std::ranges::none_of(*b.values, [&](const json_value* other) { return are_equal(*one, *other); });
      });
  }
  both.length_least = std::max(a.length_least, b.length_least);
  both.length_most = std::min(a.length_most, b.length_most);
  const auto join = [&](std::optional<std::string>& one, const std::optional<std::string>& other, const char* name) {
    if (one && other && *one != *other) fail(where, "two different values of " + std::string(name) + " for one text are not supported");
    if (!one) one = other;
  };
  join(both.pattern, b.pattern, "pattern");
  join(both.format, b.format, "format");
  tighten(both.least, both.above_least, b.least, b.above_least, 1);
  tighten(both.most, both.below_most, b.most, b.below_most, -1);
  if (a.multiple_of != 1 && b.multiple_of != 1 && a.multiple_of != b.multiple_of)
    fail(where, "two different values of multipleOf are not supported");
  both.multiple_of = std::max(a.multiple_of, b.multiple_of);
  for (size_t i = 0; i < std::max(a.first_items.size(), b.first_items.size()); ++i) {
    const auto& one = i < a.first_items.size() ? a.first_items[i] : a.items;
    const auto& other = i < b.first_items.size() ? b.first_items[i] : b.items;
    if (i >= both.first_items.size()) both.first_items.emplace_back();
    both.first_items[i] = joined(one, other);
  }
  both.items = joined(a.items, b.items);
  both.items_least = std::max(a.items_least, b.items_least);
  both.items_most = std::min(a.items_most, b.items_most);
  merge_objects(a, b, both);
  return both;
}

void schema_reader::merge_objects(const value_shape& a, const value_shape& b, value_shape& both) {
  static const json_value nothing{false};
  places_.try_emplace(&nothing, "#");
  const auto others = [&](const value_shape& shape) {
    if (!shape.allows_additional) return schema_list{&nothing};
    return shape.additional.value_or(schema_list{});
  };
  for (auto& [name, schemas] : both.properties) {
    const auto* other = find_property(b, name);
    append(schemas, other ? *other : others(b));
  }
  for (const auto& [name, schemas] : b.properties)
    if (!find_property(a, name)) both.properties.emplace_back(name, joined(schemas, others(a)));
  both.required.insert(b.required.begin(), b.required.end());
  both.allows_additional = a.allows_additional && b.allows_additional;
  if (b.additional) both.additional = joined(a.additional.value_or(schema_list{}), *b.additional);
}

/// Whether it is certain that no value is both.
bool schema_reader::are_disjoint(const value_shape& a, const value_shape& b, int depth) {
  if (++work_ > work_max) fail("#", "there is too much to combine");
  const uint8_t common = a.kinds & b.kinds;
  if (common == 0) return true;
  const auto none_fits = [](const value_shape& listed, const value_shape& other) {
    return std::ranges::all_of(*listed.values, [&](const json_value* value) {
      const uint8_t kind = kind_of(*value);
      return !(kind & other.kinds & listed.kinds) || ((kind & value_kind::number) && !is_within(other, decimal_of(*value)));
    });
  };
  if (a.values && b.values && !have_common(a, b)) return true;
  if ((a.values && none_fits(a, b)) || (b.values && none_fits(b, a))) return true;
  if ((common & ~value_kind::number) == 0) {
    const auto lies_below = [](const value_shape& low, const value_shape& high) {
      if (!low.most || !high.least) return false;
      const int order = compare(*low.most, *high.least);
      return order < 0 || (order == 0 && (low.below_most || high.above_least));
    };
    return lies_below(a, b) || lies_below(b, a);
  }
  if (common != value_kind::object || depth > 4) return false;
  const auto requires_what_is_not_there = [](const value_shape& one, const value_shape& other) {
    return !other.allows_additional &&
           std::ranges::any_of(one.required, [&](const std::string& name) { return !find_property(other, name); });
  };
  if (requires_what_is_not_there(a, b) || requires_what_is_not_there(b, a)) return true;
  return std::ranges::any_of(a.required, [&](const std::string& name) {
    const auto *one = find_property(a, name), *other = find_property(b, name);
    if (!b.required.contains(name) || !one || !other) return false;
    const auto left = shapes_of(*one), right = shapes_of(*other);
    return std::ranges::all_of(left, [&](const value_shape& l) {
      return std::ranges::all_of(right, [&](const value_shape& r) { return are_disjoint(l, r, depth + 1); });
    });
  });
}

const json_value& schema_reader::resolve(const std::string& reference, const std::string& where) {
  if (!reference.starts_with('#') || (reference.size() > 1 && reference[1] != '/'))
    fail(where, "only references within the schema are supported, such as #/$defs/name");
  const json_value* at = &root_;
  for (size_t begin = 1; begin < reference.size();) {
    const size_t end = std::min(reference.find('/', begin + 1), reference.size());
    std::string name;
    for (size_t i = begin + 1; i < end; ++i) {
      const bool is_escape = reference[i] == '~' && i + 1 < end;
      name += is_escape && reference[i + 1] == '0' ? '~' : is_escape && reference[i + 1] == '1' ? '/' : reference[i];
      if (is_escape) ++i;
    }
    const json_value* next = nullptr;
    if (const auto* members = as<json_value::object>(*at)) {
      const auto found = std::ranges::find(*members, name, &json_member::name);
      if (found != members->end()) next = &found->value;
    } else if (const auto* elements = as<json_value::array>(*at)) {
      size_t index = elements->size();
      const auto [rest, problem] = std::from_chars(name.data(), name.data() + name.size(), index);
      if (problem == std::errc{} && rest == name.data() + name.size() && index < elements->size()) next = &(*elements)[index];
    }
    if (!next) fail(where, "there is no " + reference);
    at = next;
    begin = end;
  }
  child(*at, reference);
  return *at;
}

uint32_t schema_reader::count(const json_value& value, const std::string& where) const {
  if (kind_of(value) != value_kind::whole || decimal_of(value).is_negative) fail(where, "wanted a whole number, 0 or more");
  const auto digits = decimal_of(value).whole;
  constexpr uint32_t most = 1'000'000'000;
  return digits.size() > 9 ? most : uint32_t(std::stoul(digits));
}

decimal schema_reader::number(const json_value& value, const std::string& where) const {
  if (!(kind_of(value) & value_kind::number)) fail(where, "wanted a number");
  return decimal_of(value);
}

void schema_reader::read_types(const json_value& value, const std::string& where, value_shape& shape) const {
  static const std::map<std::string, uint8_t> kinds{{"null", value_kind::null}, {"boolean", value_kind::boolean},
                                                    {"integer", value_kind::whole}, {"number", value_kind::number},
                                                    {"string", value_kind::text}, {"array", value_kind::array},
                                                    {"object", value_kind::object}};
  const auto one = [&](const json_value& name) {
    const auto* text = as<std::string>(name);
    const auto found = text ? kinds.find(*text) : kinds.end();
    if (found == kinds.end()) fail(where, "wanted null, boolean, integer, number, string, array or object");
    return found->second;
  };
  shape.kinds = 0;
  if (const auto* names = as<json_value::array>(value)) {
    for (const auto& name : *names) shape.kinds |= one(name);
  } else {
    shape.kinds = one(value);
  }
  if (shape.kinds == 0) fail(where, "wanted at least one type");
}

void schema_reader::read_keyword(const json_value& schema, const json_member& keyword, value_shape& shape) {
  const auto& [name, value] = keyword;
  const auto where = places_.at(&schema) + "/" + escaped(name);
  const auto text = [&] {
    const auto* found = as<std::string>(value);
    if (!found) fail(where, "wanted a text");
    return *found;
  };
  const auto object = [&]() -> const json_value::object& {
    const auto* found = as<json_value::object>(value);
    if (!found) fail(where, "wanted an object");
    return *found;
  };
  const auto list = [&]() -> const json_value::array& {
    const auto* found = as<json_value::array>(value);
    if (!found) fail(where, "wanted a list");
    return *found;
  };
  const auto about = [&](uint8_t kind) { shape.mentioned |= kind; };
  static const std::set<std::string> ignored{"title", "description", "default", "examples", "$schema", "$id", "$comment", "deprecated",
                                             "readOnly", "writeOnly", "$defs", "definitions"};
  static const std::set<std::string> elsewhere{"$ref", "allOf", "anyOf", "oneOf"};
  if (ignored.contains(name) || elsewhere.contains(name)) return;
  if (name == "type") return read_types(value, where, shape);
  if (name == "enum" || name == "const") {
    std::vector<const json_value*> values{&value};
    if (name == "enum") {
      values.clear();
      for (const auto& one : list()) values.push_back(&one);
      if (values.empty()) fail(where, "wanted at least one value");
    }
    if (!shape.values) shape.values = values;
    else std::erase_if(*shape.values, [&](const json_value* one) {
      return std::ranges::none_of(values, [&](const json_value* other) { return are_equal(*one, *other); });
    });
    return;
  }
  if (name == "minLength") return about(value_kind::text), shape.length_least = count(value, where), void();
  if (name == "maxLength") return about(value_kind::text), shape.length_most = count(value, where), void();
  if (name == "pattern") return about(value_kind::text), shape.pattern = text(), void();
  if (name == "format") return about(value_kind::text), shape.format = text(), void();
  if (name == "minimum" || name == "exclusiveMinimum") {
    about(value_kind::number);
    return tighten(shape.least, shape.above_least, number(value, where), name != "minimum", 1);
  }
  if (name == "maximum" || name == "exclusiveMaximum") {
    about(value_kind::number);
    return tighten(shape.most, shape.below_most, number(value, where), name != "maximum", -1);
  }
  if (name == "multipleOf") {
    about(value_kind::number);
    const auto factor = number(value, where);
    if (factor.is_negative || factor.is_zero() || !factor.fraction.empty() || factor.whole.size() > 4 ||
        std::stoul(factor.whole) > multiple_of_max)
      fail(where, "only whole numbers from 1 to " + std::to_string(multiple_of_max) + " are supported");
    shape.multiple_of = uint32_t(std::stoul(factor.whole));
    return;
  }
  if (name == "items") return about(value_kind::array), shape.items = child(value, where), void();
  if (name == "prefixItems") {
    about(value_kind::array);
    for (size_t i = 0; const auto& one : list()) shape.first_items.push_back(child(one, where + "/" + std::to_string(i++)));
    return;
  }
  if (name == "minItems") return about(value_kind::array), shape.items_least = count(value, where), void();
  if (name == "maxItems") return about(value_kind::array), shape.items_most = count(value, where), void();
  if (name == "properties") {
    about(value_kind::object);
    for (const auto& [property, of] : object()) shape.properties.emplace_back(property, child(of, where + "/" + escaped(property)));
    return;
  }
  if (name == "required") {
    about(value_kind::object);
    for (const auto& one : list()) {
      const auto* property = as<std::string>(one);
      if (!property) fail(where, "wanted a list of names");
      shape.required.insert(*property);
    }
    return;
  }
  if (name == "additionalProperties") {
    about(value_kind::object);
    const auto* flag = as<bool>(value);
    shape.allows_additional = !flag || *flag;
    shape.additional = child(value, where);
    return;
  }
  fail(where, "this keyword is not supported");
}

} // namespace troupe
