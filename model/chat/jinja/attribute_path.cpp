#include "model/chat/jinja/attribute_path.hpp"
#include "model/chat/jinja/lookup.hpp"
#include <algorithm>

namespace troupe::jinja {

attribute_path::attribute_path(evaluation& run, const value* attribute, const value* otherwise) {
  if (otherwise && !otherwise->is_none()) otherwise_ = *otherwise;
  if (attribute == nullptr || attribute->is_none()) return;
  const text* words = attribute->as_text();
  if (words == nullptr) {
    steps_.push_back(*attribute);
    return;
  }
  for (size_t begin = 0; begin <= words->bytes.size();) {
    const size_t end = std::min(words->bytes.find('.', begin), words->bytes.size());
    const std::string step = words->bytes.substr(begin, end - begin);
    const bool is_index = !step.empty() && step.size() < 10 && step.find_first_not_of("0123456789") == std::string::npos;
    steps_.push_back(is_index ? value{int64_t(std::stol(step))} : make_text(run, step));
    begin = end + 1;
  }
}

value attribute_path::of(evaluation& run, const value& item) const {
  value at = item;
  for (const value& step : steps_) {
    at = get_item(run, at, step);
    if (otherwise_ && at.is_undefined()) at = *otherwise_;
  }
  return at;
}

} // namespace troupe::jinja
