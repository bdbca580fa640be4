#include "model/chat/jinja/operators.hpp"
#include "model/chat/jinja/comparison.hpp"
#include "model/chat/jinja/printing.hpp"
#include <cmath>

namespace troupe::jinja {
namespace {

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

} // namespace

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
    const sequence* list = b.as_sequence();
    const bool is_tuple = list && list->kind == sequence_kind::tuple;
    // Python takes what has items, and is no tuple, for a table of values by name, of which a format need not use any.
    const bool may_be_left = b.is_undefined() || b.as_dict() || (list && !is_tuple && !list->is_view());
    const auto items = is_tuple ? list->items : std::vector<value>{b};
    return make_text(run, print_with_format(run, a.as_text()->bytes, items, may_be_left), a.as_text()->is_escaped);
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
