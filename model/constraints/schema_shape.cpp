#include "model/constraints/schema_shape.hpp"
#include "model/constraints/json_texts.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>

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

std::string canonical_text(const json_value& value) {
  if (kind_of(value) & value_kind::number) {
    const auto number = decimal_of(value);
    return (number.is_negative && !number.is_zero() ? "-" : "") + number.whole + (number.fraction.empty() ? "" : "." + number.fraction);
  }
  if (const auto* elements = as<json_value::array>(value)) {
    std::string text = "[";
    for (const auto& element : *elements) text += canonical_text(element) + ",";
    return text + "]";
  }
  if (const auto* members = as<json_value::object>(value)) {
    std::vector<std::string> texts;
    for (const auto& [name, member] : *members) texts.push_back(json_quoted(name) + ":" + canonical_text(member));
    std::ranges::sort(texts);
    std::string text = "{";
    for (const auto& one : texts) text += one + ",";
    return text + "}";
  }
  return to_json_text(value);
}

uint64_t weight(const value_shape& shape) {
  uint64_t sum = 4 + shape.first_items.size() + shape.items.size() + (shape.values ? shape.values->size() / 4 : 0);
  for (const auto& items : shape.first_items) sum += items.size() / 4;
  for (const auto& [name, schemas] : shape.properties) sum += 2 + name.size() / 16 + schemas.size() / 4;
  for (const auto& name : shape.required) sum += 2 + name.size() / 16;
  return sum;
}

bool is_within(const value_shape& shape, const decimal& number) {
  if (shape.least && compare(number, *shape.least) < int(shape.above_least)) return false;
  if (shape.most && compare(number, *shape.most) > -int(shape.below_most)) return false;
  if (shape.multiple_of == 0) return true;
  uint32_t remainder = 0;
  for (const char digit : number.whole) remainder = (remainder * 10 + uint32_t(digit - '0')) % shape.multiple_of;
  return number.fraction.empty() && remainder == 0;
}

schema_reader::schema_reader(const json_value& root, compile_budget& budget) : root_(root), budget_(budget) { number_of(root, "#"); }

void schema_reader::fail(const std::string& place, const std::string& reason) const {
  throw input_error("the JSON schema at " + place + ": " + reason);
}

std::string schema_reader::place(const schema_list& schemas) const { return schemas.empty() ? "#" : schemas_[schemas.front()].place; }

std::vector<value_shape> schema_reader::shapes_of(const schema_list& schemas) {
  std::vector<value_shape> shapes{{}};
  for (const uint32_t schema : schemas) shapes = cross(shapes, read(schema), schemas_[schema].place);
  return shapes;
}

uint32_t schema_reader::number_of(const json_value& schema, const std::string& place) {
  const auto [known, is_new] = numbers_.try_emplace(&schema, uint32_t(schemas_.size()));
  if (!is_new) return known->second;
  budget_.charge(4 + place.size() / 16);
  schemas_.push_back({&schema, place});
  return known->second;
}

schema_list schema_reader::child(const json_value& schema, const std::string& place) {
  if (!as<json_value::object>(schema) && !as<bool>(schema)) fail(place, "wanted a schema: an object, true or false");
  if (const auto* flag = as<bool>(schema); flag && *flag) return {};
  return {number_of(schema, place)};
}

const std::vector<value_shape>& schema_reader::read(uint32_t number) {
  auto& schema = schemas_[number]; // It stays there.
  if (schema.shapes) return *schema.shapes;
  if (schema.is_being_read) throw endless("the JSON schema at " + schema.place + ": references or combinations lead back to it without end");
  if (depth_ >= depth_max) fail(schema.place, "references and combinations are nested too deeply");
  struct reading {
    known_schema& of;
    int& depth;
    reading(known_schema& schema, int& all) : of(schema), depth(all) {
      of.is_being_read = true;
      ++depth;
    }
    ~reading() {
      of.is_being_read = false;
      --depth;
    }
  } now(schema, depth_);
  schema.shapes = read_keywords(number);
  return *schema.shapes;
}

std::vector<value_shape> schema_reader::read_keywords(uint32_t number) {
  const auto& schema = *schemas_[number].value;
  const auto& where = schemas_[number].place;
  if (const auto* flag = as<bool>(schema)) return *flag ? std::vector<value_shape>{{}} : std::vector<value_shape>{};
  const auto* keywords = as<json_value::object>(schema);
  if (!keywords) fail(where, "wanted a schema: an object, true or false");
  value_shape own;
  for (const auto& keyword : *keywords) read_keyword(where, keyword, own);
  std::vector<value_shape> shapes{own};
  for (const auto& [name, value] : *keywords) {
    const auto at = where + "/" + name;
    if (name == "$ref") {
      const auto* reference = as<std::string>(value);
      if (!reference) fail(at, "wanted a text");
      shapes = cross(shapes, read(resolve(*reference, at)), at);
    } else if (name == "allOf" || name == "anyOf" || name == "oneOf") {
      const auto* parts = as<json_value::array>(value);
      if (!parts || parts->empty()) fail(at, "wanted a list of schemas");
      if (name != "allOf") {
        shapes = cross(shapes, read_choice(value, at, name == "oneOf"), at);
        continue;
      }
      for (size_t i = 0; i < parts->size(); ++i) shapes = cross(shapes, shapes_of(child((*parts)[i], at + "/" + std::to_string(i))), at);
    }
  }
  return shapes;
}

std::vector<value_shape> schema_reader::read_choice(const json_value& choices, const std::string& where, bool exclusive) {
  std::vector<value_shape> all;
  for (size_t i = 0; const auto& one : std::get<json_value::array>(choices.content)) {
    const auto shapes = shapes_of(child(one, where + "/" + std::to_string(i++)));
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
      budget_.charge(2 * (weight(a) + weight(b)));
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
    if (both.values) keep_common(*both.values, *b.values);
    else both.values = b.values;
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
  if (a.multiple_of != 0 && b.multiple_of != 0 && a.multiple_of != b.multiple_of)
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
  const auto others = [&](const value_shape& shape) {
    if (!shape.allows_additional) return schema_list{number_of(nothing, "#")};
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

std::set<std::string> schema_reader::spelled(const std::vector<const json_value*>& values) {
  std::set<std::string> texts;
  for (const auto* value : values) {
    auto text = canonical_text(*value);
    budget_.charge(4 + text.size() / 4);
    texts.insert(std::move(text));
  }
  return texts;
}

void schema_reader::keep_common(std::vector<const json_value*>& values, const std::vector<const json_value*>& others) {
  const auto texts = spelled(others);
  spelled(values); // It costs as much.
  std::erase_if(values, [&](const json_value* one) { return !texts.contains(canonical_text(*one)); });
}

bool schema_reader::have_common_value(const value_shape& a, const value_shape& b) {
  const auto left = spelled(*a.values), right = spelled(*b.values);
  return std::ranges::any_of(left, [&](const std::string& text) { return right.contains(text); });
}

const schema_list* schema_reader::find_property(const value_shape& shape, const std::string& name) {
  budget_.charge(1 + shape.properties.size() / 8);
  const auto found = std::ranges::find(shape.properties, name, &std::pair<std::string, schema_list>::first);
  return found == shape.properties.end() ? nullptr : &found->second;
}

/// Whether it is certain that no value is both.
bool schema_reader::are_disjoint(const value_shape& a, const value_shape& b, int depth) {
  budget_.charge(4 + (a.values ? 4 * a.values->size() : 0) + (b.values ? 4 * b.values->size() : 0));
  const uint8_t common = a.kinds & b.kinds;
  if (common == 0) return true;
  const auto none_fits = [](const value_shape& listed, const value_shape& other) {
    return std::ranges::all_of(*listed.values, [&](const json_value* value) {
      const uint8_t kind = kind_of(*value);
      return !(kind & other.kinds & listed.kinds) || ((kind & value_kind::number) && !is_within(other, decimal_of(*value)));
    });
  };
  if (a.values && b.values && !have_common_value(a, b)) return true;
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
  const auto requires_what_is_not_there = [this](const value_shape& one, const value_shape& other) {
    return !other.allows_additional &&
           std::ranges::any_of(one.required, [&](const std::string& name) { return !find_property(other, name); });
  };
  if (requires_what_is_not_there(a, b) || requires_what_is_not_there(b, a)) return true;
  return std::ranges::any_of(a.required, [&](const std::string& name) {
    const auto *one = find_property(a, name), *other = find_property(b, name);
    if (!b.required.contains(name) || !one || !other) return false;
    try {
      const auto left = shapes_of(*one), right = shapes_of(*other);
      return std::ranges::all_of(left, [&](const value_shape& l) {
        return std::ranges::all_of(right, [&](const value_shape& r) { return are_disjoint(l, r, depth + 1); });
      });
    } catch (const endless&) {
      budget_.charge(100);
      return false; // It contains the schema for which this is asked.
    }
  });
}

uint32_t schema_reader::resolve(const std::string& reference, const std::string& where) {
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
      budget_.charge(1 + members->size() / 8);
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
  child(*at, reference); // It is a schema.
  return number_of(*at, reference);
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

void schema_reader::read_keyword(const std::string& schema_place, const json_member& keyword, value_shape& shape) {
  const auto& [name, value] = keyword;
  budget_.charge(4 + (schema_place.size() + name.size()) / 8);
  const auto where = schema_place + "/" + escaped(name);
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
  static const std::set<std::string> ignored{"title", "description", "default", "examples", "$schema", "$comment", "deprecated",
                                             "readOnly", "writeOnly", "$defs", "definitions"};
  static const std::set<std::string> elsewhere{"$ref", "allOf", "anyOf", "oneOf"};
  if (ignored.contains(name) || elsewhere.contains(name)) return;
  if (name == "$id") {
    if (schema_place != "#") fail(where, "$id is supported at the root only: below it changes what $ref means");
    return;
  }
  if (name == "type") return read_types(value, where, shape);
  if (name == "enum" || name == "const") {
    std::vector<const json_value*> values{&value};
    if (name == "enum") {
      values.clear();
      for (const auto& one : list()) values.push_back(&one);
      if (values.empty()) fail(where, "wanted at least one value");
    }
    budget_.charge(values.size());
    if (shape.values) keep_common(*shape.values, values);
    else shape.values = values;
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
    budget_.charge(4 * list().size());
    for (size_t i = 0; const auto& one : list()) shape.first_items.push_back(child(one, where + "/" + std::to_string(i++)));
    return;
  }
  if (name == "minItems") return about(value_kind::array), shape.items_least = count(value, where), void();
  if (name == "maxItems") return about(value_kind::array), shape.items_most = count(value, where), void();
  if (name == "properties") {
    about(value_kind::object);
    budget_.charge(4 * object().size());
    for (const auto& [property, of] : object()) shape.properties.emplace_back(property, child(of, where + "/" + escaped(property)));
    return;
  }
  if (name == "required") {
    about(value_kind::object);
    budget_.charge(4 * list().size());
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
