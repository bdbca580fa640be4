#include "model/chat/jinja/arguments.hpp"
#include "model/chat/jinja/comparison.hpp"
#include <algorithm>

namespace troupe::jinja {

bound_arguments::bound_arguments(evaluation& run, std::string_view function, const call_arguments& arguments,
                                 std::initializer_list<std::string_view> parameters, size_t required)
    : run_(run), function_(function), values_(parameters.size()) {
  const std::string name(function);
  if (arguments.positional.size() > parameters.size()) {
    run.fail(name + " takes at most " + std::to_string(parameters.size()) + " arguments, not " +
             std::to_string(arguments.positional.size()));
  }
  for (size_t i = 0; i < arguments.positional.size(); ++i) values_[i] = arguments.positional[i];
  for (const auto& [parameter, given] : arguments.named) {
    const auto* found = std::find(parameters.begin(), parameters.end(), parameter);
    if (found == parameters.end()) run.fail(name + " takes no argument " + parameter);
    auto& place = values_[size_t(found - parameters.begin())];
    if (place) run.fail(name + " is given its argument " + parameter + " twice");
    place = given;
  }
  for (size_t i = 0; i < required; ++i) {
    if (!values_[i]) run.fail(name + " needs an argument " + std::string(*(parameters.begin() + i)));
  }
}

void bound_arguments::fail_kind(size_t i, std::string_view wanted) const {
  run_.fail(std::string(function_) + " wants " + std::string(wanted) + ", not a " + std::string(type_name(*values_[i])));
}

const text& bound_arguments::text_at(size_t i) const {
  const text* found = values_[i]->as_text();
  if (found == nullptr) fail_kind(i, "a string");
  return *found;
}

int64_t bound_arguments::integer_at(size_t i) const {
  if (const bool* flag = values_[i]->as_bool()) return *flag ? 1 : 0;
  const int64_t* found = values_[i]->as_integer();
  if (found == nullptr) fail_kind(i, "an integer");
  return *found;
}

std::optional<std::string_view> bound_arguments::text_or_none(size_t i) const {
  if (!has(i) || values_[i]->is_none()) return std::nullopt;
  return text_at(i).bytes;
}

int64_t bound_arguments::integer_or(size_t i, int64_t otherwise) const { return has(i) ? integer_at(i) : otherwise; }

bool bound_arguments::truth_or(size_t i, bool otherwise) const { return has(i) ? is_true(*values_[i]) : otherwise; }

} // namespace troupe::jinja
