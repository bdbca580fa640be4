#pragma once
// What is true, equal, less, or in what; the items of values. Each fails where Python raises.
#include "model/chat/jinja/value.hpp"

namespace troupe::jinja {

bool is_true(const value& one);
bool are_equal(evaluation& run, const value& a, const value& b);
/// operation: == != < <= > >= in "not in"
bool compare(evaluation& run, std::string_view operation, const value& a, const value& b);
/// a < b
bool is_less(evaluation& run, const value& a, const value& b);
bool contains(evaluation& run, const value& container, const value& item);

/// A number, bool counting as one.
std::optional<int64_t> integer_of(const value& one);
std::optional<double> float_of(const value& one);
bool is_number(const value& one);

/// len(); nothing where it has none.
std::optional<int64_t> length_of(const value& one);
/// The items of a value, kept as long as they are looked at.
struct item_list {
  std::shared_ptr<const sequence> held;

  const std::vector<value>& all() const { return held->items; }
  auto begin() const { return all().begin(); }
  auto end() const { return all().end(); }
  size_t size() const { return all().size(); }
  bool empty() const { return all().empty(); }
  const value& operator[](size_t i) const { return all()[i]; }
};

/// Its items: those of a list, the keys of a dict, the characters of a string, what is left of an iterator (which is empty then).
item_list iterate(evaluation& run, const value& one);
bool is_iterable(const value& one);

/// The value under a key; null where there is none. Fails for keys that Python cannot hash.
const value* find_key(evaluation& run, const dict& map, const value& key);
/// A dict of these, where later values of a key replace earlier ones.
value make_dict_of(evaluation& run, std::vector<std::pair<value, value>> items);

/// Whether it can be the key of a dict.
bool is_hashable(evaluation& run, const value& key);

[[noreturn]] void fail_undefined(evaluation& run, const value& one); // one.is_undefined().
[[noreturn]] void fail_operands(evaluation& run, std::string_view operation, const value& a, const value& b);

} // namespace troupe::jinja
