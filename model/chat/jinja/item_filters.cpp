// Filters that apply other filters, or tests, to each item.
#include "model/chat/jinja/attribute_path.hpp"
#include "model/chat/jinja/comparison.hpp"
#include "model/chat/jinja/filters.hpp"
#include "model/chat/jinja/tests.hpp"

namespace troupe::jinja {
namespace {

const value* find_named(const call_arguments& arguments, std::string_view name) {
  for (const auto& [parameter, given] : arguments.named) {
    if (parameter == name) return &given;
  }
  return nullptr;
}

/// Those behind the first `count` positional ones.
call_arguments without_first(const call_arguments& arguments, size_t count) {
  return {.positional = {arguments.positional.begin() + std::ptrdiff_t(count), arguments.positional.end()}, .named = arguments.named};
}

std::string name_at(evaluation& run, const call_arguments& arguments, size_t i, std::string_view what) {
  if (i >= arguments.positional.size() || !arguments.positional[i].as_text()) {
    run.fail("this filter wants the name of " + std::string(what));
  }
  return arguments.positional[i].as_text()->bytes;
}

value map(evaluation& run, const value& subject, const call_arguments& arguments) {
  std::vector<value> out;
  if (arguments.positional.empty() && find_named(arguments, "attribute")) {
    const value* otherwise = find_named(arguments, "default");
    if (arguments.named.size() > (otherwise ? 2u : 1u)) run.fail("map takes attribute and default");
    if (!is_true(subject)) return make_iterator(run, {});
    const attribute_path path(run, find_named(arguments, "attribute"), otherwise);
    for (const value& item : iterate(run, subject)) out.push_back(path.of(run, item));
    return make_iterator(run, std::move(out));
  }
  if (!is_true(subject)) return make_iterator(run, {});
  const std::string name = name_at(run, arguments, 0, "a filter");
  const filter_function filter = find_filter(name);
  if (filter == nullptr) run.fail("the filter " + name + " is not supported");
  const call_arguments rest = without_first(arguments, 1);
  const level deeper(run);
  for (const value& item : iterate(run, subject)) out.push_back(filter(run, item, rest));
  return make_iterator(run, std::move(out));
}

/// has_attribute: the first argument names what of each item is looked at. wanted: whether those are kept that pass the test.
template <bool has_attribute, bool wanted>
value pick(evaluation& run, const value& subject, const call_arguments& arguments) {
  if (!is_true(subject)) return make_iterator(run, {});
  constexpr size_t first = has_attribute ? 1 : 0;
  if (arguments.positional.size() < first) run.fail("this filter wants an attribute");
  const attribute_path path(run, has_attribute ? &arguments.positional[0] : nullptr);
  test_function test = nullptr;
  call_arguments rest;
  if (arguments.positional.size() > first) {
    const std::string name = name_at(run, arguments, first, "a test");
    test = find_test(name);
    if (test == nullptr) run.fail("the test " + name + " is not supported");
    rest = without_first(arguments, first + 1);
  } else if (!arguments.named.empty()) {
    run.fail("this filter takes no named arguments without a test");
  }
  std::vector<value> out;
  for (const value& item : iterate(run, subject)) {
    const value seen = path.of(run, item);
    run.spend(1);
    if ((test ? test(run, seen, rest) : is_true(seen)) == wanted) out.push_back(item);
  }
  return make_iterator(run, std::move(out));
}

} // namespace

const named_filter item_filters[] = {{"map", map},
                                     {"select", pick<false, true>},
                                     {"reject", pick<false, false>},
                                     {"selectattr", pick<true, true>},
                                     {"rejectattr", pick<true, false>},
                                     {"", nullptr}};

} // namespace troupe::jinja
