#include "model/chat/jinja/operators.hpp"
#include "model/chat/jinja/characters.hpp"
#include "model/chat/jinja/methods.hpp"
#include "model/chat/jinja/printing.hpp"
#include <algorithm>
#include <cmath>

namespace troupe::jinja {
namespace {

bool is_view(const sequence& list) { return list.kind >= sequence_kind::keys; }

[[noreturn]] void fail_operands(evaluation& run, std::string_view operation, const value& a, const value& b) {
  for (const value* one : {&a, &b}) {
    if (const auto* missing = std::get_if<undefined>(&one->content)) run.fail(missing->reason ? *missing->reason : "undefined");
  }
  run.fail("'" + std::string(operation) + "' does not go with " + std::string(type_name(a)) + " and " + std::string(type_name(b)));
}

/// Exact: the 64 bits of a long double's mantissa hold every integer.
long double exact(const value& one) {
  if (const auto integer = integer_of(one)) return static_cast<long double>(*integer);
  return *one.as_float();
}

bool is_number(const value& one) { return one.as_bool() || one.as_integer() || one.as_float(); }

bool are_equal_sequences(evaluation& run, const sequence& a, const sequence& b) {
  if (a.kind != b.kind || a.items.size() != b.items.size()) return false;
  if (is_view(a)) return &a == &b;
  for (size_t i = 0; i < a.items.size(); ++i) {
    if (!are_equal(run, a.items[i], b.items[i])) return false;
  }
  return true;
}

bool are_equal_dicts(evaluation& run, const dict& a, const dict& b) {
  if (a.items.size() != b.items.size()) return false;
  for (const auto& [key, item] : a.items) {
    const value* other = find_key(run, b, key);
    if (other == nullptr || !are_equal(run, item, *other)) return false;
  }
  return true;
}

/// -1, 0, 1; nothing where a NaN is among them. Fails for kinds that have no order.
std::optional<int> order(evaluation& run, std::string_view operation, const value& a, const value& b) {
  const level deeper(run);
  run.spend(1);
  if (is_number(a) && is_number(b)) {
    const long double x = exact(a), y = exact(b);
    if (x != x || y != y) return std::nullopt;
    return x < y ? -1 : x > y ? 1 : 0;
  }
  if (a.as_text() && b.as_text()) {
    const std::string &x = a.as_text()->bytes, &y = b.as_text()->bytes;
    run.spend_search(std::min(x.size(), y.size()));
    const int found = x.compare(y); // UTF-8 has the order of its characters.
    return found < 0 ? -1 : found > 0 ? 1 : 0;
  }
  const auto *x = a.as_sequence(), *y = b.as_sequence();
  const bool have_order = x && y && x->kind == y->kind && (x->kind == sequence_kind::list || x->kind == sequence_kind::tuple);
  if (!have_order) fail_operands(run, operation, a, b);
  for (size_t i = 0; i < std::min(x->items.size(), y->items.size()); ++i) {
    if (!are_equal(run, x->items[i], y->items[i])) return order(run, operation, x->items[i], y->items[i]);
  }
  return x->items.size() < y->items.size() ? -1 : x->items.size() > y->items.size() ? 1 : 0;
}

/// Whether it can be the key of a dict.
bool is_hashable(evaluation& run, const value& key) {
  const level deeper(run);
  run.spend(1);
  const sequence* list = key.as_sequence();
  if (list == nullptr) return !key.as_dict();
  if (list->kind == sequence_kind::range) return true;
  const auto can_be_key = [&](const value& item) { return is_hashable(run, item); };
  return list->kind == sequence_kind::tuple && std::all_of(list->items.begin(), list->items.end(), can_be_key);
}

value integer_value(int64_t number) { return {number}; }

value integer_arithmetic(evaluation& run, std::string_view operation, int64_t a, int64_t b) {
  int64_t out = 0;
  bool overflows = false;
  if (operation == "+") {
    overflows = __builtin_add_overflow(a, b, &out);
  } else if (operation == "-") {
    overflows = __builtin_sub_overflow(a, b, &out);
  } else if (operation == "*") {
    overflows = __builtin_mul_overflow(a, b, &out);
  } else if (operation == "**") {
    if (b < 0 && a == 0) run.fail("division by zero");
    if (b < 0) return {std::pow(double(a), double(b))};
    out = 1;
    for (int64_t base = a;;) {
      if (b & 1) overflows = overflows || __builtin_mul_overflow(out, base, &out);
      b >>= 1;
      if (b == 0 || overflows) break;
      overflows = __builtin_mul_overflow(base, base, &base);
    }
  } else {
    if (b == 0) run.fail("division by zero");
    if (operation == "/") return {double(static_cast<long double>(a) / static_cast<long double>(b))};
    if (b == -1) {
      overflows = operation == "//" && __builtin_sub_overflow(int64_t(0), a, &out);
    } else {
      const int64_t rest = a % b;
      const bool is_below = rest != 0 && (rest < 0) != (b < 0);
      out = operation == "//" ? a / b - (is_below ? 1 : 0) : rest + (is_below ? b : 0);
    }
  }
  if (overflows) run.fail("an integer is beyond 64 bits");
  return integer_value(out);
}

/// Python's divmod of floats.
std::pair<double, double> floor_division(double a, double b) {
  double rest = std::fmod(a, b);
  double quotient = (a - rest) / b;
  if (rest != 0) {
    if ((b < 0) != (rest < 0)) {
      rest += b;
      quotient -= 1;
    }
  } else {
    rest = std::copysign(0.0, b);
  }
  if (quotient == 0) return {std::copysign(0.0, a / b), rest};
  const double whole = std::floor(quotient);
  return {quotient - whole > 0.5 ? whole + 1 : whole, rest};
}

value float_arithmetic(evaluation& run, std::string_view operation, double a, double b) {
  if (operation == "+") return {a + b};
  if (operation == "-") return {a - b};
  if (operation == "*") return {a * b};
  if (operation == "**") {
    if (a == 0 && b < 0) run.fail("division by zero");
    const double power = std::pow(a, b);
    if (std::isfinite(a) && std::isfinite(b) && !std::isfinite(power)) run.fail("a power is beyond a float, or complex");
    return {power};
  }
  if (b == 0) run.fail("division by zero");
  if (operation == "/") return {a / b};
  const auto [quotient, rest] = floor_division(a, b);
  return {operation == "//" ? quotient : rest};
}

value repeat(evaluation& run, const value& one, int64_t times) {
  const uint64_t count = times < 0 ? 0 : uint64_t(times);
  const text* words = one.as_text();
  const uint64_t unit = words ? words->bytes.size() : one.as_sequence()->items.size() * sizeof(value);
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(unit, count, &bytes)) bytes = ~uint64_t(0);
  run.make(bytes);
  if (words) {
    std::string out;
    out.reserve(bytes);
    for (uint64_t i = 0; i < count && unit > 0; ++i) out += words->bytes;
    return make_text(run, std::move(out), words->is_escaped);
  }
  const sequence& list = *one.as_sequence();
  std::vector<value> items;
  for (uint64_t i = 0; i < count && unit > 0; ++i) items.insert(items.end(), list.items.begin(), list.items.end());
  return make_list(run, std::move(items), list.kind);
}

bool can_repeat(const value& one) {
  const sequence* list = one.as_sequence();
  return one.as_text() || (list && (list->kind == sequence_kind::list || list->kind == sequence_kind::tuple));
}

value joined(evaluation& run, const text& a, const text& b) {
  const bool is_escaped = a.is_escaped || b.is_escaped;
  run.make(a.bytes.size() + b.bytes.size());
  if (a.is_escaped == b.is_escaped) return make_text(run, a.bytes + b.bytes, is_escaped);
  const value other = escape(run, {std::make_shared<const text>(a.is_escaped ? b : a)});
  return make_text(run, a.is_escaped ? a.bytes + other.as_text()->bytes : other.as_text()->bytes + b.bytes, true);
}

/// The position that an index means; nothing when it is outside.
std::optional<size_t> position_of(const value& key, size_t length) {
  const auto index = integer_of(key);
  if (!index) return std::nullopt;
  const int64_t position = *index < 0 ? *index + int64_t(length) : *index;
  if (position < 0 || position >= int64_t(length)) return std::nullopt;
  return size_t(position);
}

value character_at(evaluation& run, const text& words, size_t position) {
  if (words.is_ascii()) return make_text(run, words.bytes.substr(position, 1), words.is_escaped);
  run.spend_search(words.bytes.size());
  size_t end = bytes_of(words.bytes, position);
  const size_t begin = end;
  next_character(words.bytes, end);
  return make_text(run, words.bytes.substr(begin, end - begin), words.is_escaped);
}

std::optional<value> find_item(evaluation& run, const value& one, const value& key) {
  if (const dict* map = one.as_dict()) {
    if (!is_hashable(run, key)) return std::nullopt;
    const value* found = find_key(run, *map, key);
    return found ? std::optional<value>(*found) : std::nullopt;
  }
  if (const text* words = one.as_text()) {
    const auto position = position_of(key, words->characters);
    return position ? std::optional<value>(character_at(run, *words, *position)) : std::nullopt;
  }
  if (const sequence* list = one.as_sequence(); list && !is_view(*list)) {
    const auto position = position_of(key, list->items.size());
    return position ? std::optional<value>(list->items[*position]) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<value> find_attribute(evaluation& run, const value& one, std::string_view name) {
  if (object* other = one.as_object()) {
    if (auto found = other->attribute(run, name)) return found;
  }
  return find_method(run, one, name);
}

[[noreturn]] void fail_undefined(evaluation& run, const value& one) {
  const auto& reason = std::get<undefined>(one.content).reason;
  run.fail(reason ? *reason : "undefined");
}

} // namespace

bool is_true(const value& one) {
  switch (one.content.index()) {
  case 0:
  case 1: return false;
  case 2: return *one.as_bool();
  case 3: return *one.as_integer() != 0;
  case 4: return *one.as_float() != 0;
  case 5: return !one.as_text()->bytes.empty();
  case 6: return !one.as_sequence()->items.empty();
  case 7: return !one.as_dict()->items.empty();
  default: return true;
  }
}

bool are_equal(evaluation& run, const value& a, const value& b) {
  const level deeper(run);
  run.spend(1);
  if (is_number(a) && is_number(b)) return exact(a) == exact(b);
  if (a.content.index() != b.content.index()) return false;
  if (a.is_undefined() || a.is_none()) return true;
  if (a.as_text()) {
    const std::string &x = a.as_text()->bytes, &y = b.as_text()->bytes;
    if (x.size() == y.size()) run.spend_search(x.size());
    return x == y;
  }
  if (a.as_sequence()) return are_equal_sequences(run, *a.as_sequence(), *b.as_sequence());
  if (a.as_dict()) return are_equal_dicts(run, *a.as_dict(), *b.as_dict());
  return a.as_object() == b.as_object();
}

bool is_less(evaluation& run, const value& a, const value& b) { return order(run, "<", a, b) == -1; }

bool compare(evaluation& run, std::string_view operation, const value& a, const value& b) {
  if (operation == "==") return are_equal(run, a, b);
  if (operation == "!=") return !are_equal(run, a, b);
  if (operation == "in") return contains(run, b, a);
  if (operation == "not in") return !contains(run, b, a);
  const auto found = order(run, operation, a, b);
  if (!found) return false;
  if (operation == "<") return *found < 0;
  if (operation == "<=") return *found <= 0;
  return operation == ">" ? *found > 0 : *found >= 0;
}

bool contains(evaluation& run, const value& container, const value& item) {
  if (const text* words = container.as_text()) {
    const text* wanted = item.as_text();
    if (wanted == nullptr) run.fail("'in' a string wants a string, not a " + std::string(type_name(item)));
    run.spend_search(words->bytes.size());
    return find_first(words->bytes, wanted->bytes) != std::string_view::npos;
  }
  if (const dict* map = container.as_dict()) return find_key(run, *map, item) != nullptr;
  if (auto* rest = container.as<iterator>()) {
    while (const value* one = rest->next()) {
      if (are_equal(run, *one, item)) return true;
    }
    return false;
  }
  const auto items = iterate(run, container);
  return std::any_of(items.begin(), items.end(), [&](const value& one) { return are_equal(run, one, item); });
}

std::optional<int64_t> integer_of(const value& one) {
  if (const bool* flag = one.as_bool()) return *flag ? 1 : 0;
  if (const int64_t* number = one.as_integer()) return *number;
  return std::nullopt;
}

std::optional<double> float_of(const value& one) {
  if (const auto number = integer_of(one)) return double(*number);
  if (const double* number = one.as_float()) return *number;
  return std::nullopt;
}

value arithmetic(evaluation& run, std::string_view operation, const value& a, const value& b) {
  if (is_number(a) && is_number(b)) {
    if (a.as_float() || b.as_float()) return float_arithmetic(run, operation, *float_of(a), *float_of(b));
    return integer_arithmetic(run, operation, *integer_of(a), *integer_of(b));
  }
  if (operation == "+") {
    if (a.as_text() && b.as_text()) return joined(run, *a.as_text(), *b.as_text());
    const auto *x = a.as_sequence(), *y = b.as_sequence();
    if (x && y && x->kind == y->kind && can_repeat(a)) {
      run.make((x->items.size() + y->items.size()) * sizeof(value));
      std::vector<value> items(x->items);
      items.insert(items.end(), y->items.begin(), y->items.end());
      return make_list(run, std::move(items), x->kind);
    }
  }
  if (operation == "*") {
    if (can_repeat(a) && integer_of(b)) return repeat(run, a, *integer_of(b));
    if (can_repeat(b) && integer_of(a)) return repeat(run, b, *integer_of(a));
  }
  if (operation == "%" && a.as_text()) {
    call_arguments arguments;
    const sequence* tuple = b.as_sequence();
    if (tuple && tuple->kind == sequence_kind::tuple) {
      arguments.positional = tuple->items;
    } else {
      if (b.as_dict()) run.fail("'%' with a dict is not supported");
      arguments.positional.push_back(b);
    }
    return make_text(run, print_with_format(run, a.as_text()->bytes, arguments.positional), a.as_text()->is_escaped);
  }
  fail_operands(run, operation, a, b);
}

value negate(evaluation& run, const value& one, bool is_negative) {
  if (one.is_undefined()) fail_undefined(run, one);
  if (const auto integer = integer_of(one)) {
    return is_negative ? integer_arithmetic(run, "-", 0, *integer) : integer_value(*integer);
  }
  if (!one.as_float()) run.fail("a " + std::string(type_name(one)) + " has no sign");
  return {is_negative ? -*one.as_float() : *one.as_float()};
}

std::optional<int64_t> length_of(const value& one) {
  if (one.is_undefined()) return 0;
  if (const text* words = one.as_text()) return int64_t(words->characters);
  if (const sequence* list = one.as_sequence()) return int64_t(list->items.size());
  if (const dict* map = one.as_dict()) return int64_t(map->items.size());
  return std::nullopt;
}

bool is_iterable(const value& one) {
  return one.is_undefined() || one.as_text() || one.as_sequence() || one.as_dict() || one.as<iterator>();
}

item_list iterate(evaluation& run, const value& one) {
  if (const auto* list = std::get_if<std::shared_ptr<const sequence>>(&one.content)) return {*list};
  std::vector<value> items;
  if (const text* words = one.as_text()) {
    run.make(words->characters * sizeof(value));
    for (size_t at = 0; at < words->bytes.size();) {
      const size_t begin = at;
      next_character(words->bytes, at);
      items.push_back(make_text(run, words->bytes.substr(begin, at - begin), words->is_escaped));
    }
  } else if (const dict* map = one.as_dict()) {
    for (const auto& [key, item] : map->items) items.push_back(key);
  } else if (auto* rest = one.as<iterator>()) {
    while (const value* next = rest->next()) items.push_back(*next);
  } else if (!one.is_undefined()) {
    run.fail("a " + std::string(type_name(one)) + " has no items to go through");
  }
  return {make_sequence(run, std::move(items))};
}

const value* find_key(evaluation& run, const dict& map, const value& key) {
  if (!is_hashable(run, key)) run.fail("a " + std::string(type_name(key)) + " cannot be a key");
  run.spend(1 + map.items.size() / 16);
  for (const auto& [one, item] : map.items) {
    const bool both_texts = one.as_text() && key.as_text();
    if (both_texts ? one.as_text()->bytes == key.as_text()->bytes : are_equal(run, one, key)) return &item;
  }
  return nullptr;
}

value make_dict_of(evaluation& run, std::vector<std::pair<value, value>> items) {
  dict made;
  for (auto& [key, item] : items) {
    if (const value* found = find_key(run, made, key)) {
      *const_cast<value*>(found) = std::move(item);
    } else {
      made.items.emplace_back(std::move(key), std::move(item));
    }
  }
  return make_dict(run, std::move(made.items));
}

value get_attribute(evaluation& run, const value& one, std::string_view name) {
  if (one.is_undefined()) fail_undefined(run, one);
  if (auto found = find_attribute(run, one, name)) return *found;
  if (one.as_dict()) {
    if (auto found = find_item(run, one, make_text(run, std::string(name)))) return *found;
  }
  return make_undefined("'" + std::string(type_name(one)) + " object' has no attribute '" + std::string(name) + "'");
}

value get_item(evaluation& run, const value& one, const value& key) {
  if (one.is_undefined()) fail_undefined(run, one);
  if (auto found = find_item(run, one, key)) return *found;
  if (const text* name = key.as_text()) {
    if (auto found = find_attribute(run, one, name->bytes)) return *found;
  }
  return make_undefined("'" + std::string(type_name(one)) + " object' has no item " +
                        (key.as_text() ? "'" + key.as_text()->bytes + "'" : key.as_integer() ? std::to_string(*key.as_integer()) : "of this key"));
}

value get_slice(evaluation& run, const value& one, const value& begin, const value& end, const value& step) {
  if (one.is_undefined()) fail_undefined(run, one);
  const text* words = one.as_text();
  const sequence* list = one.as_sequence();
  if (!words && (!list || is_view(*list))) {
    return make_undefined("'" + std::string(type_name(one)) + " object' has no slices");
  }
  for (const value* bound : {&begin, &end, &step}) {
    if (!bound->is_none() && !integer_of(*bound)) return make_undefined("a slice has a bound that is no integer");
  }
  const int64_t length = *length_of(one);
  const int64_t stride = step.is_none() ? 1 : *integer_of(step);
  if (stride == 0) run.fail("a slice has the step 0");
  const auto clamp = [&](const value& bound, int64_t otherwise) {
    if (bound.is_none()) return otherwise;
    int64_t at = *integer_of(bound);
    if (at < 0) at = at < -length ? -1 : at + length;
    const int64_t least = stride > 0 ? 0 : -1, most = stride > 0 ? length : length - 1;
    return std::clamp(at, least, std::max(least, most));
  };
  const int64_t first = clamp(begin, stride > 0 ? 0 : length - 1), last = clamp(end, stride > 0 ? length : -1);
  if (words && stride == 1) {
    run.spend_search(words->bytes.size());
    if (last <= first) return make_text(run, "", words->is_escaped);
    const size_t from = words->is_ascii() ? size_t(first) : bytes_of(words->bytes, size_t(first));
    const size_t to = words->is_ascii() ? size_t(last) : bytes_of(words->bytes, size_t(last));
    return make_text(run, words->bytes.substr(from, to - from), words->is_escaped);
  }
  std::vector<size_t> picked;
  for (int64_t at = first; stride > 0 ? at < last : at > last;) {
    picked.push_back(size_t(at));
    if (__builtin_add_overflow(at, stride, &at)) break;
  }
  run.make(picked.size() * sizeof(size_t));
  if (words) {
    run.make(words->bytes.size() * sizeof(size_t));
    const auto offsets = character_offsets(words->bytes);
    std::string out;
    for (const size_t at : picked) out.append(words->bytes, offsets[at], offsets[at + 1] - offsets[at]);
    return make_text(run, std::move(out), words->is_escaped);
  }
  std::vector<value> items;
  for (const size_t at : picked) items.push_back(list->items[at]);
  if (list->kind != sequence_kind::range) return make_list(run, std::move(items), list->kind);
  sequence part = *make_sequence(run, std::move(items), sequence_kind::range);
  part.start = list->start + first * list->step;
  part.stop = list->start + last * list->step;
  if (__builtin_mul_overflow(list->step, stride, &part.step)) run.fail("an integer is beyond 64 bits");
  return {std::make_shared<const sequence>(std::move(part))};
}

value escape(evaluation& run, const value& one) {
  if (const text* words = one.as_text(); words && words->is_escaped) return one;
  const std::string plain = to_text(run, one);
  run.make(plain.size() * 5);
  std::string out;
  for (const char byte : plain) {
    switch (byte) {
    case '&': out += "&amp;"; break;
    case '<': out += "&lt;"; break;
    case '>': out += "&gt;"; break;
    case '"': out += "&#34;"; break;
    case '\'': out += "&#39;"; break;
    default: out += byte;
    }
  }
  return make_text(run, std::move(out), true);
}

} // namespace troupe::jinja
