#include "model/chat/jinja/arguments.hpp"
#include "model/chat/jinja/attribute_path.hpp"
#include "model/chat/jinja/characters.hpp"
#include "model/chat/jinja/comparison.hpp"
#include "model/chat/jinja/filters.hpp"
#include "model/chat/jinja/lookup.hpp"
#include "model/chat/jinja/printing.hpp"
#include <algorithm>

namespace troupe::jinja {
namespace {

value length(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "length", arguments, {});
  const auto found = length_of(subject);
  if (!found) run.fail("a " + std::string(type_name(subject)) + " has no length");
  return {*found};
}

value list(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "list", arguments, {});
  return make_list(run, iterate(run, subject).all());
}

value default_filter(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "default", arguments, {"default_value", "boolean"});
  const bool is_missing = subject.is_undefined() || (given.truth_or(1, false) && !is_true(subject));
  if (!is_missing) return subject;
  return given.has(0) ? given[0] : make_text(run, "");
}

value first(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "first", arguments, {});
  const auto nothing = [] { return make_undefined("No first item, sequence was empty."); };
  if (auto* rest = subject.as<iterator>()) {
    const value* next = rest->next();
    return next ? *next : nothing();
  }
  if (const text* words = subject.as_text()) { // Without all the others.
    if (words->bytes.empty()) return nothing();
    return get_item(run, subject, {int64_t(0)});
  }
  const auto items = iterate(run, subject);
  return items.empty() ? nothing() : items[0];
}

value last(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "last", arguments, {});
  if (subject.as<iterator>()) run.fail("last: this has no end that can be looked at");
  if (const text* words = subject.as_text(); words && words->characters > 0) return get_item(run, subject, {int64_t(-1)});
  const auto items = iterate(run, subject);
  return items.empty() ? make_undefined("No last item, sequence was empty.") : items[items.size() - 1];
}

value join(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "join", arguments, {"d", "attribute"});
  const std::string separator = given.has(0) ? to_text(run, given[0]) : "";
  const auto path = attribute_path(run, given.has(1) ? &given[1] : nullptr);
  std::string out;
  bool is_first = true;
  for (const value& item : iterate(run, subject)) {
    const std::string part = to_text(run, path.of(run, item));
    run.make(separator.size() + part.size());
    if (!is_first) out += separator;
    is_first = false;
    out += part;
  }
  return make_text(run, std::move(out));
}

value reverse(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "reverse", arguments, {});
  if (subject.as_text()) return get_slice(run, subject, {none{}}, {none{}}, {int64_t(-1)});
  std::vector<value> items(iterate(run, subject).all());
  std::reverse(items.begin(), items.end());
  const bool is_list = subject.as<iterator>() != nullptr; // It has no reverse order of its own: jinja2 makes a list of it.
  return is_list ? make_list(run, std::move(items)) : make_iterator(run, std::move(items));
}

/// Lower case, where the filter does not mind case.
value sort_key(evaluation& run, const value& one, bool minds_case) {
  if (minds_case || !one.as_text()) return one;
  return make_text(run, to_lower(one.as_text()->bytes));
}

using keyed = std::pair<value, value>;

/// By their first, stable. std::stable_sort, but comparisons may throw: nothing is lost then but these copies.
void sort_by_key(evaluation& run, std::vector<keyed>& items, bool is_descending) {
  run.spend(items.size());
  std::stable_sort(items.begin(), items.end(), [&](const keyed& a, const keyed& b) {
    return is_descending ? is_less(run, b.first, a.first) : is_less(run, a.first, b.first);
  });
}

value seconds_of(evaluation& run, std::vector<keyed>& items) {
  std::vector<value> out;
  for (auto& [key, item] : items) out.push_back(std::move(item));
  return make_list(run, std::move(out));
}

value sort(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "sort", arguments, {"reverse", "case_sensitive", "attribute"});
  const bool minds_case = given.truth_or(1, false);
  std::vector<attribute_path> paths;
  if (given.has(2) && given[2].as_text()) {
    const std::string& all = given[2].as_text()->bytes;
    for (size_t begin = 0; begin <= all.size();) {
      const size_t end = std::min(all.find(',', begin), all.size());
      const value one = make_text(run, all.substr(begin, end - begin));
      paths.emplace_back(run, &one);
      begin = end + 1;
    }
  } else {
    paths.emplace_back(run, given.has(2) ? &given[2] : nullptr);
  }
  std::vector<keyed> items;
  for (const value& item : iterate(run, subject)) {
    std::vector<value> keys;
    for (const auto& path : paths) keys.push_back(sort_key(run, path.of(run, item), minds_case));
    items.emplace_back(make_list(run, std::move(keys)), item);
  }
  sort_by_key(run, items, given.integer_or(0, 0) != 0);
  return seconds_of(run, items);
}

value dictsort(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "dictsort", arguments, {"case_sensitive", "by", "reverse"});
  const std::string by = given.has(1) ? given.text_at(1).bytes : "key";
  if (by != "key" && by != "value") run.fail("dictsort: by is \"key\" or \"value\"");
  const dict* map = subject.as_dict();
  if (map == nullptr) run.fail("dictsort wants a dict, not a " + std::string(type_name(subject)));
  std::vector<keyed> items;
  for (const auto& [key, item] : map->items) {
    items.emplace_back(sort_key(run, by == "key" ? key : item, given.truth_or(0, false)),
                       make_list(run, {key, item}, sequence_kind::tuple));
  }
  sort_by_key(run, items, given.integer_or(2, 0) != 0);
  return seconds_of(run, items);
}

value unique(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "unique", arguments, {"case_sensitive", "attribute"});
  const attribute_path path(run, given.has(1) ? &given[1] : nullptr);
  std::vector<value> out;
  dict keys;
  for (const value& item : iterate(run, subject)) {
    value key = sort_key(run, path.of(run, item), given.truth_or(0, false));
    if (find_key(run, keys, key)) continue;
    keys.items.emplace_back(std::move(key), value{none{}});
    out.push_back(item);
  }
  return make_iterator(run, std::move(out));
}

template <bool wants_least>
value extreme(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, wants_least ? "min" : "max", arguments, {"case_sensitive", "attribute"});
  const attribute_path path(run, given.has(1) ? &given[1] : nullptr);
  const auto items = iterate(run, subject);
  if (items.empty()) return make_undefined("No aggregated item, sequence was empty.");
  const value* best = nullptr;
  value best_key;
  for (const value& item : items) {
    value key = sort_key(run, path.of(run, item), given.truth_or(0, false));
    const bool is_better = best == nullptr || (wants_least ? is_less(run, key, best_key) : is_less(run, best_key, key));
    if (!is_better) continue;
    best = &item;
    best_key = std::move(key);
  }
  return *best;
}

value items(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "items", arguments, {});
  std::vector<value> out;
  if (const dict* map = subject.as_dict()) {
    for (const auto& [key, item] : map->items) out.push_back(make_list(run, {key, item}, sequence_kind::tuple));
  } else if (!subject.is_undefined()) {
    run.fail("items wants a dict, not a " + std::string(type_name(subject)));
  }
  return make_iterator(run, std::move(out));
}

value batch(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "batch", arguments, {"linecount", "fill_with"}, 1);
  const int64_t size = given.integer_at(0);
  if (size < 1) run.fail("batch: a size below 1 is not supported");
  std::vector<value> out, line;
  for (const value& item : iterate(run, subject)) {
    if (int64_t(line.size()) == size) out.push_back(make_list(run, std::exchange(line, {})));
    line.push_back(item);
  }
  if (!line.empty()) {
    if (given.has(1) && !given[1].is_none() && int64_t(line.size()) < size) {
      run.make(uint64_t(std::min<int64_t>(size, int64_t(1) << 40)) * sizeof(value));
      line.resize(size_t(size), given[1]);
    }
    out.push_back(make_list(run, std::move(line)));
  }
  return make_iterator(run, std::move(out));
}

} // namespace

const named_filter list_filters[] = {{"length", length},       {"count", length}, {"list", list},       {"default", default_filter},
                                     {"d", default_filter},    {"first", first},  {"last", last},       {"join", join},
                                     {"reverse", reverse},     {"sort", sort},    {"dictsort", dictsort}, {"unique", unique},
                                     {"min", extreme<true>},   {"max", extreme<false>}, {"items", items}, {"batch", batch},
                                     {"", nullptr}};

} // namespace troupe::jinja
