#include "model/chat/jinja/arguments.hpp"
#include "model/chat/jinja/attribute_path.hpp"
#include "model/chat/jinja/characters.hpp"
#include "model/chat/jinja/comparison.hpp"
#include "model/chat/jinja/filters.hpp"
#include "model/chat/jinja/operators.hpp"
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace troupe::jinja {
namespace {

/// The text of a number without the white space around it and the underscores in it, which must each stand between two digits.
std::optional<std::string> plain_number(std::string_view bytes) {
  const std::string_view inside = strip(bytes, std::nullopt, true, true);
  std::string out;
  for (size_t i = 0; i < inside.size(); ++i) {
    if (inside[i] != '_') {
      out += inside[i];
      continue;
    }
    const auto is_digit_at = [&](size_t at) { return at < inside.size() && std::isxdigit(static_cast<unsigned char>(inside[at])); };
    if (i == 0 || !is_digit_at(i - 1) || !is_digit_at(i + 1)) return std::nullopt;
  }
  return out;
}

/// int(text, base); nothing where Python raises a ValueError.
std::optional<int64_t> read_integer(evaluation& run, std::string_view bytes, int64_t base) {
  if (base != 0 && (base < 2 || base > 36)) run.fail("int: the base is 0 or 2 to 36");
  auto plain = plain_number(bytes);
  if (!plain || plain->empty()) return std::nullopt;
  const bool is_negative = (*plain)[0] == '-';
  size_t begin = is_negative || (*plain)[0] == '+' ? 1 : 0;
  const auto prefix = [&](char letter) {
    return plain->size() > begin + 1 && (*plain)[begin] == '0' && ((*plain)[begin + 1] | 0x20) == letter;
  };
  int number_base = int(base);
  for (const auto& [letter, meaning] : {std::pair('b', 2), std::pair('o', 8), std::pair('x', 16)}) {
    if (!prefix(letter) || (base != 0 && base != meaning)) continue;
    number_base = meaning;
    begin += 2;
    break;
  }
  if (number_base == 0) {
    number_base = 10;
    const bool is_octal_of_old = (*plain)[begin] == '0' && plain->find_first_not_of('0', begin) != std::string::npos;
    if (is_octal_of_old) return std::nullopt;
  }
  const char *first = plain->data() + begin, *end = plain->data() + plain->size();
  if (first == end || *first == '-' || *first == '+') return std::nullopt;
  uint64_t size = 0;
  const auto [rest, error] = std::from_chars(first, end, size, number_base);
  if (error == std::errc::result_out_of_range || (error == std::errc() && size > uint64_t(INT64_MAX))) {
    run.fail("an integer is beyond 64 bits");
  }
  if (error != std::errc() || rest != end) return std::nullopt;
  return is_negative ? -int64_t(size) : int64_t(size);
}

std::optional<double> read_float(std::string_view bytes) {
  auto plain = plain_number(bytes);
  if (!plain || plain->empty()) return std::nullopt;
  std::string lower;
  for (const char byte : *plain) lower += byte >= 'A' && byte <= 'Z' ? char(byte | 0x20) : byte;
  const size_t begin = lower[0] == '-' || lower[0] == '+' ? 1 : 0;
  const double sign = lower[0] == '-' ? -1 : 1;
  const std::string_view size = std::string_view(lower).substr(begin);
  if (size == "inf" || size == "infinity") return sign * HUGE_VAL;
  if (size == "nan") return std::nan("");
  if (size.empty() || !(std::isdigit(static_cast<unsigned char>(size[0])) || size[0] == '.')) return std::nullopt;
  double number = 0;
  const auto [rest, error] = std::from_chars(size.data(), size.data() + size.size(), number);
  if (rest != size.data() + size.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) return sign * std::strtod(lower.c_str() + begin, nullptr); // Infinite, or zero.
  if (error != std::errc()) return std::nullopt;
  return sign * number;
}

value whole(evaluation& run, double number) {
  if (!(std::fabs(number) < 9.2e18)) run.fail("a float is beyond an integer of 64 bits");
  return {int64_t(number)};
}

value int_filter(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "int", arguments, {"default", "base"});
  if (subject.is_undefined()) return negate(run, subject, false); // Fails.
  if (const auto integer = integer_of(subject)) return {*integer};
  if (subject.as_float()) {
    if (!std::isnan(*subject.as_float())) return whole(run, *subject.as_float());
  } else if (const text* words = subject.as_text()) {
    if (const auto integer = read_integer(run, words->bytes, given.integer_or(1, 10))) return {*integer};
    if (const auto number = read_float(words->bytes); number && !std::isnan(*number)) return whole(run, *number);
  }
  return given.has(0) ? given[0] : value{int64_t(0)};
}

value float_filter(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "float", arguments, {"default"});
  if (subject.is_undefined()) return negate(run, subject, false);
  if (const auto number = float_of(subject)) return {*number};
  if (const text* words = subject.as_text()) {
    if (const auto number = read_float(words->bytes)) return {*number};
  }
  return given.has(0) ? given[0] : value{0.0};
}

value abs_filter(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "abs", arguments, {});
  if (const auto integer = integer_of(subject)) return *integer < 0 ? negate(run, {*integer}, true) : value{*integer};
  if (const double* number = subject.as_float()) return {std::fabs(*number)};
  return negate(run, subject, false);
}

/// Python's round(): halves, of the float as it is, to the even digit.
double round_float(double number, int64_t digits) {
  if (!std::isfinite(number) || digits > 300) return number;
  if (digits < -308) return std::copysign(0.0, number);
  if (digits >= 0) {
    char out[700];
    std::snprintf(out, sizeof out, "%.*f", int(digits), number);
    return std::strtod(out, nullptr);
  }
  const long double unit = std::pow(10.0L, static_cast<long double>(-digits));
  return double(std::nearbyint(static_cast<long double>(number) / unit) * unit);
}

value round_filter(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "round", arguments, {"precision", "method"});
  const std::string method = given.has(1) ? given.text_at(1).bytes : "common";
  if (method != "common" && method != "ceil" && method != "floor") run.fail("round: the method is common, ceil or floor");
  const auto number = float_of(subject);
  if (!number) run.fail("round wants a number, not a " + std::string(type_name(subject)));
  const int64_t digits = given.integer_or(0, 0);
  if (method == "common") {
    if (subject.as_float()) return {round_float(*number, digits)};
    if (digits >= 0) return {*integer_of(subject)};
    run.fail("round: an integer to less than its digits is not supported");
  }
  if (std::abs(digits) > 15) run.fail("round: more than 15 digits are not supported");
  const double unit = std::pow(10.0, double(digits));
  const double scaled = *number * unit;
  return {(method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / unit};
}

value sum(evaluation& run, const value& subject, const call_arguments& arguments) {
  const bound_arguments given(run, "sum", arguments, {"attribute", "start"});
  const attribute_path path(run, given.has(0) ? &given[0] : nullptr);
  value total = given.has(1) ? given[1] : value{int64_t(0)};
  if (total.as_text()) run.fail("sum: strings cannot be summed");
  for (const value& item : iterate(run, subject)) total = arithmetic(run, "+", total, path.of(run, item));
  return total;
}

} // namespace

const named_filter number_filters[] = {{"int", int_filter},     {"float", float_filter}, {"abs", abs_filter},
                                       {"round", round_filter}, {"sum", sum},            {"", nullptr}};

} // namespace troupe::jinja
