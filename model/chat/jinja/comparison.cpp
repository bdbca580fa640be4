#include "model/chat/jinja/comparison.hpp"
#include "model/chat/jinja/characters.hpp"
#include <algorithm>

namespace troupe::jinja {
namespace {

/// Exact: the 64 bits of a long double's mantissa hold every integer.
long double exact(const value& one) {
  if (const auto integer = integer_of(one)) return static_cast<long double>(*integer);
  return *one.as_float();
}

bool are_equal_sequences(evaluation& run, const sequence& a, const sequence& b) {
  if (a.kind != b.kind || a.items.size() != b.items.size()) return false;
  if (a.is_view()) return &a == &b;
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

} // namespace

void fail_operands(evaluation& run, std::string_view operation, const value& a, const value& b) {
  for (const value* one : {&a, &b}) {
    if (const auto* missing = std::get_if<undefined>(&one->content)) run.fail(missing->reason ? *missing->reason : "undefined");
  }
  run.fail("'" + std::string(operation) + "' does not go with " + std::string(type_name(a)) + " and " + std::string(type_name(b)));
}

bool is_number(const value& one) { return one.as_bool() || one.as_integer() || one.as_float(); }

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

bool is_hashable(evaluation& run, const value& key) {
  const level deeper(run);
  run.spend(1);
  const sequence* list = key.as_sequence();
  if (list == nullptr) return !key.as_dict();
  if (list->kind == sequence_kind::range) return true;
  const auto can_be_key = [&](const value& item) { return is_hashable(run, item); };
  return list->kind == sequence_kind::tuple && std::all_of(list->items.begin(), list->items.end(), can_be_key);
}

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

void fail_undefined(evaluation& run, const value& one) {
  const auto& reason = std::get<undefined>(one.content).reason;
  run.fail(reason ? *reason : "undefined");
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

} // namespace troupe::jinja
