#pragma once
// What a function of ours was called with, by the names of its parameters.
#include "model/chat/jinja/value.hpp"
#include <initializer_list>

namespace troupe::jinja {

class bound_arguments {
public:
  /// Parameters are given by position or by name. Fails for too many, for a name that is none of them, for one given twice, and where
  /// one of the first `required` is missing.
  bound_arguments(evaluation& run, std::string_view function, const call_arguments& arguments,
                  std::initializer_list<std::string_view> parameters, size_t required = 0);

  bool has(size_t i) const { return values_[i].has_value(); }
  const value& operator[](size_t i) const { return *values_[i]; } // has(i).
  // Fail where it is of another kind.
  const text& text_at(size_t i) const;
  int64_t integer_at(size_t i) const;
  // What it is, or this where it is not given (or None, for texts).
  std::optional<std::string_view> text_or_none(size_t i) const;
  int64_t integer_or(size_t i, int64_t otherwise) const;
  bool truth_or(size_t i, bool otherwise) const;

private:
  [[noreturn]] void fail_kind(size_t i, std::string_view wanted) const;

  evaluation& run_;
  std::string_view function_;
  std::vector<std::optional<value>> values_;
};

} // namespace troupe::jinja
