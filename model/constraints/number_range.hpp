#pragma once
// Numbers between bounds, digit by digit.
#include "model/constraints/expression.hpp"
#include <cstdint>
#include <optional>
#include <string>

namespace troupe {

/// A decimal number, exactly.
struct decimal {
  bool is_negative = false;
  std::string whole = "0"; // Without zeros at the beginning, but for zero itself.
  std::string fraction;    // Without zeros at the end.

  bool is_zero() const { return whole == "0" && fraction.empty(); }
};

/// As JSON spells it, or C++'s to_chars in fixed notation: digits with or without a point.
decimal to_decimal(std::string_view text);
/// Below 0, 0 or above, as a is to b.
int compare(const decimal& a, const decimal& b);

struct number_bounds {
  std::optional<decimal> least, most;
  bool above_least = false, below_most = false; // The bound itself is excluded.
  uint32_t multiple_of = 1;                     // Of whole numbers only.
};

/// Whole numbers of at most this many digits, which every reader of JSON takes exactly.
constexpr uint32_t whole_digits_max = 18;
/// Digits of a number with a point between bounds: so many are told apart by a double.
constexpr uint32_t digits_max = 15;
constexpr uint32_t multiple_of_max = 1000;

/// The whole numbers within bounds; no "-0". Bounds beyond whole_digits_max count as that.
expression_ptr whole_numbers(const number_bounds& bounds, compile_budget& budget);
/// The numbers within bounds, without exponents, of at most digits_max digits. Bounds must have no more than that.
expression_ptr decimal_numbers(const number_bounds& bounds, compile_budget& budget);

} // namespace troupe
