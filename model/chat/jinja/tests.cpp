#include "model/chat/jinja/tests.hpp"
#include "model/chat/jinja/arguments.hpp"
#include "model/chat/jinja/comparison.hpp"
#include "model/chat/jinja/filters.hpp"
#include "model/chat/jinja/methods.hpp"
#include "model/chat/jinja/operators.hpp"
#include "model/chat/jinja/printing.hpp"

namespace troupe::jinja {
namespace {

void expect_none(evaluation& run, const call_arguments& arguments) { const bound_arguments given(run, "this test", arguments, {}); }

template <bool (*holds)(const value&)>
bool plain(evaluation& run, const value& subject, const call_arguments& arguments) {
  expect_none(run, arguments);
  return holds(subject);
}

bool is_defined(const value& one) { return !one.is_undefined(); }
bool is_undefined(const value& one) { return one.is_undefined(); }
bool is_none(const value& one) { return one.is_none(); }
bool is_boolean(const value& one) { return one.as_bool(); }
bool is_true_itself(const value& one) { return one.as_bool() && *one.as_bool(); }
bool is_false_itself(const value& one) { return one.as_bool() && !*one.as_bool(); }
bool is_integer(const value& one) { return one.as_integer(); }
bool is_float(const value& one) { return one.as_float(); }
bool is_string(const value& one) { return one.as_text(); }
bool is_mapping(const value& one) { return one.as_dict(); }
bool is_callable(const value& one) { return one.is_undefined() || (one.as_object() && one.as_object()->is_callable()); }
bool is_escaped(const value& one) { return one.as_text() && one.as_text()->is_escaped; }
bool is_sequence(const value& one) {
  const sequence* list = one.as_sequence();
  return one.is_undefined() || one.as_text() || one.as_dict() || (list && !list->is_view());
}

int64_t remainder(evaluation& run, const value& subject, const value& divisor) {
  const value rest = arithmetic(run, "%", subject, divisor);
  if (const auto integer = integer_of(rest)) return *integer;
  if (const double* number = rest.as_float()) return *number == 0 ? 0 : *number == 1 ? 1 : 2;
  return 2; // A string, of a format.
}

bool is_odd(evaluation& run, const value& subject, const call_arguments& arguments) {
  expect_none(run, arguments);
  return remainder(run, subject, {int64_t(2)}) == 1;
}

bool is_even(evaluation& run, const value& subject, const call_arguments& arguments) {
  expect_none(run, arguments);
  return remainder(run, subject, {int64_t(2)}) == 0;
}

bool is_divisible(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "divisibleby", arguments, {"num"}, 1);
  return remainder(run, subject, given[0]) == 0;
}

template <bool upper>
bool has_case(evaluation& run, const value& subject, const call_arguments& arguments) {
  expect_none(run, arguments);
  const auto holds = find_text_method(upper ? "isupper" : "islower");
  return is_true(holds(run, make_text(run, to_text(run, subject)), call_arguments{}));
}

/// The six comparisons, by the index of their symbol.
constexpr std::string_view comparisons[] = {"==", "!=", "<", "<=", ">", ">="};
template <size_t comparison>
bool compares(evaluation& run, const value& subject, const call_arguments& arguments) {
  if (!arguments.named.empty()) run.fail("this test takes no named arguments");
  const bound_arguments given(run, "this test", arguments, {"other"}, 1);
  return compare(run, comparisons[comparison], subject, given[0]);
}

bool is_in(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "in", arguments, {"seq"}, 1);
  return contains(run, given[0], subject);
}

/// Identity: of None, True, False and what is held by the same object. Numbers and strings have none that a template should ask for.
bool is_same(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "sameas", arguments, {"other"}, 1);
  const value& other = given[0];
  if (subject.content.index() != other.content.index()) return false;
  if (subject.is_none()) return true;
  if (subject.as_bool()) return *subject.as_bool() == *other.as_bool();
  if (subject.as_sequence()) return subject.as_sequence() == other.as_sequence();
  if (subject.as_dict()) return subject.as_dict() == other.as_dict();
  if (subject.as_object()) return subject.as_object() == other.as_object();
  run.fail("sameas: the identity of a " + std::string(type_name(subject)) + " is not supported");
}

bool is_filter(evaluation& run, const value& subject, const call_arguments& arguments) {
  expect_none(run, arguments);
  return subject.as_text() && find_filter(subject.as_text()->bytes) != nullptr;
}

bool is_test(evaluation& run, const value& subject, const call_arguments& arguments) {
  expect_none(run, arguments);
  return subject.as_text() && find_test(subject.as_text()->bytes) != nullptr;
}

struct named_test {
  std::string_view name;
  test_function function;
};

constexpr named_test all_tests[] = {{"defined", plain<is_defined>},
                                    {"undefined", plain<is_undefined>},
                                    {"none", plain<is_none>},
                                    {"boolean", plain<is_boolean>},
                                    {"true", plain<is_true_itself>},
                                    {"false", plain<is_false_itself>},
                                    {"integer", plain<is_integer>},
                                    {"float", plain<is_float>},
                                    {"number", plain<is_number>},
                                    {"string", plain<is_string>},
                                    {"mapping", plain<is_mapping>},
                                    {"sequence", plain<is_sequence>},
                                    {"iterable", plain<is_iterable>},
                                    {"callable", plain<is_callable>},
                                    {"escaped", plain<is_escaped>},
                                    {"odd", is_odd},
                                    {"even", is_even},
                                    {"divisibleby", is_divisible},
                                    {"upper", has_case<true>},
                                    {"lower", has_case<false>},
                                    {"sameas", is_same},
                                    {"filter", is_filter},
                                    {"test", is_test},
                                    {"in", is_in},
                                    {"eq", compares<0>},
                                    {"equalto", compares<0>},
                                    {"==", compares<0>},
                                    {"ne", compares<1>},
                                    {"!=", compares<1>},
                                    {"lt", compares<2>},
                                    {"lessthan", compares<2>},
                                    {"<", compares<2>},
                                    {"le", compares<3>},
                                    {"<=", compares<3>},
                                    {"gt", compares<4>},
                                    {"greaterthan", compares<4>},
                                    {">", compares<4>},
                                    {"ge", compares<5>},
                                    {">=", compares<5>}};

} // namespace

test_function find_test(std::string_view name) {
  for (const auto& candidate : all_tests) {
    if (candidate.name == name) return candidate.function;
  }
  return nullptr;
}

} // namespace troupe::jinja
