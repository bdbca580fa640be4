#include "model/constraints/number_range.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <array>
#include <map>
#include <tuple>

namespace troupe {
namespace {

/// The numbers from `least` to `most`, both without a sign.
struct magnitudes {
  decimal least;
  bool above_least = false;
  std::optional<decimal> most;
  bool below_most = false;
};

/// Adds paths for magnitudes to a graph.
class range_builder {
public:
  range_builder(bool has_fraction, uint32_t multiple_of, compile_budget& budget)
    : has_fraction_(has_fraction), multiple_of_(multiple_of), budget_(budget) {
    graph_.ends.push_back(false);
    for (uint32_t digit = 0; digit < 10; ++digit) digits_[digit] = text_of(std::string(1, char('0' + digit)));
    point_ = text_of(".");
  }

  void add(const magnitudes& range, bool is_negative) {
    range_ = &range;
    nodes_.clear();
    uint32_t begin = 0;
    if (is_negative) {
      begin = add_node(false);
      graph_.edges.push_back({0, begin, text_of("-")});
    }
    const uint32_t longest = has_fraction_ ? digits_max : whole_digits_max;
    const auto last = std::min(longest, range.most ? uint32_t(range.most->whole.size()) : longest);
    for (auto length = uint32_t(range.least.whole.size()); length <= last; ++length) {
      place first{length, 0, false, length == range.least.whole.size(), range.most && length == range.most->whole.size(), 0};
      graph_.edges.push_back({begin, node_of(first), sequence_of({})});
    }
    while (!open_.empty()) {
      const place at = open_.back();
      open_.pop_back();
      expand(at);
    }
  }

  expression_ptr finish() { return graph_of(std::move(graph_)); }

private:
  /// Where a number is: after so many digits of a whole part of so many, or of the fraction; whether it still equals a bound so far.
  struct place {
    uint32_t length = 0, position = 0;
    bool in_fraction = false, at_least = false, at_most = false;
    uint32_t remainder = 0;
    auto operator<=>(const place&) const = default;
  };

  uint32_t add_node(bool is_end) {
    graph_.ends.push_back(is_end);
    return uint32_t(graph_.ends.size()) - 1;
  }

  uint32_t node_of(place at) {
    // Without a bound in reach only what is left matters.
    if (!has_fraction_ && !at.at_least && !at.at_most && at.position > 0)
      at = {at.length - at.position + 100, 0, false, false, false, at.remainder};
    const auto [found, is_new] = nodes_.try_emplace(at, 0);
    if (is_new) {
      budget_.charge(20); // Ten edges.
      found->second = add_node(may_end(at));
      open_.push_back(at);
    }
    return found->second;
  }

  static bool rest_is_zero(const decimal& bound, size_t from) { return from >= bound.fraction.size(); }

  uint32_t whole_left(const place& at) const { return at.length >= 100 ? at.length - 100 : at.length - at.position; }

  bool may_end(const place& at) const {
    if (!at.in_fraction && whole_left(at) > 0) return false;
    if (at.in_fraction && at.position == 0) return false;
    if (at.remainder != 0) return false;
    const size_t read = at.in_fraction ? at.position : 0;
    if (at.at_least && (!rest_is_zero(range_->least, read) || range_->above_least)) return false;
    return !(at.at_most && rest_is_zero(*range_->most, read) && range_->below_most);
  }

  static char digit_of(const decimal& bound, const place& at) {
    const auto& digits = at.in_fraction ? bound.fraction : bound.whole;
    return at.position < digits.size() ? digits[at.position] : '0';
  }

  void expand(const place& at) {
    const uint32_t from = node_of(at);
    if (!at.in_fraction && whole_left(at) == 0) {
      if (!has_fraction_ || at.length >= digits_max) return;
      place next = at;
      next.in_fraction = true;
      next.position = 0;
      graph_.edges.push_back({from, node_of(next), point_});
      return;
    }
    if (at.in_fraction && at.position + at.length >= digits_max) return;
    char low = at.at_least ? digit_of(range_->least, at) : '0', high = at.at_most ? digit_of(*range_->most, at) : '9';
    const bool is_first = !at.in_fraction && at.position == 0 && at.length < 100;
    const char lowest = is_first && at.length > 1 ? '1' : '0';
    for (char digit = std::max(low, lowest); digit <= high; ++digit) {
      place next = at;
      if (at.length >= 100) --next.length;
      else ++next.position;
      next.at_least = at.at_least && digit == low;
      next.at_most = at.at_most && digit == high;
      next.remainder = (at.remainder * 10 + uint32_t(digit - '0')) % multiple_of_;
      graph_.edges.push_back({from, node_of(next), digits_[size_t(digit - '0')]});
    }
  }

  bool has_fraction_;
  uint32_t multiple_of_;
  compile_budget& budget_;
  const magnitudes* range_ = nullptr;
  expression_graph graph_;
  std::array<expression_ptr, 10> digits_;
  expression_ptr point_;
  std::map<place, uint32_t> nodes_;
  std::vector<place> open_;
};

decimal without_sign(decimal number) {
  number.is_negative = false;
  return number;
}

bool is_negative(const decimal& number) { return number.is_negative && !number.is_zero(); }

expression_ptr numbers_within(const number_bounds& bounds, bool has_fraction, compile_budget& budget) {
  range_builder builder(has_fraction, bounds.multiple_of, budget);
  const bool has_negative = !bounds.least || is_negative(*bounds.least);
  const bool has_positive = !bounds.most || !is_negative(*bounds.most);
  if (has_positive) {
    magnitudes range;
    if (bounds.least && !is_negative(*bounds.least)) {
      range.least = *bounds.least;
      range.above_least = bounds.above_least;
    }
    range.most = bounds.most;
    range.below_most = bounds.below_most;
    builder.add(range, false);
  }
  if (has_negative) {
    magnitudes range;
    range.above_least = true; // No "-0".
    if (bounds.most && is_negative(*bounds.most)) {
      range.least = without_sign(*bounds.most);
      range.above_least = bounds.below_most;
    }
    if (bounds.least) range.most = without_sign(*bounds.least);
    range.below_most = bounds.above_least;
    builder.add(range, true);
  }
  return builder.finish();
}

} // namespace

decimal to_decimal(std::string_view text) {
  decimal number;
  number.is_negative = text.starts_with('-');
  if (number.is_negative) text.remove_prefix(1);
  const size_t point = std::min(text.find('.'), text.size());
  number.whole = text.substr(0, point);
  if (point < text.size()) number.fraction = text.substr(point + 1);
  while (!number.fraction.empty() && number.fraction.back() == '0') number.fraction.pop_back();
  const size_t zeros = std::min(number.whole.find_first_not_of('0'), number.whole.size());
  number.whole.erase(0, zeros);
  if (number.whole.empty()) number.whole = "0";
  return number;
}

int compare(const decimal& a, const decimal& b) {
  if (is_negative(a) != is_negative(b)) return is_negative(a) ? -1 : 1;
  const int sign = is_negative(a) ? -1 : 1;
  if (a.whole.size() != b.whole.size()) return a.whole.size() < b.whole.size() ? -sign : sign;
  if (const int order = a.whole.compare(b.whole); order != 0) return order < 0 ? -sign : sign;
  const int order = a.fraction.compare(b.fraction); // "5" before "51": zeros at the end are gone.
  return order == 0 ? 0 : order < 0 ? -sign : sign;
}

expression_ptr whole_numbers(const number_bounds& bounds, compile_budget& budget) { return numbers_within(bounds, false, budget); }
expression_ptr decimal_numbers(const number_bounds& bounds, compile_budget& budget) { return numbers_within(bounds, true, budget); }

} // namespace troupe
