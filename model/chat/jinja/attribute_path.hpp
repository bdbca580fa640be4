#pragma once
// "function.name", "0.name": the attribute that filters look at, of each item.
#include "model/chat/jinja/value.hpp"

namespace troupe::jinja {

class attribute_path {
public:
  /// attribute: a string, or an index; null or None means the item itself. otherwise: for an attribute that is not there.
  attribute_path(evaluation& run, const value* attribute, const value* otherwise = nullptr);
  value of(evaluation& run, const value& item) const;

private:
  std::vector<value> steps_;
  std::optional<value> otherwise_;
};

} // namespace troupe::jinja
