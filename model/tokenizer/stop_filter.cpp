#include "model/tokenizer/stop_filter.hpp"

#include <algorithm>

namespace troupe {

stop_filter::stop_filter(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
}

std::string stop_filter::push(std::string_view text) {
  if (stopped_) return {};
  held_ += text;
  size_t first_stop = std::string::npos;
  for (const auto& stop : stops_) first_stop = std::min(first_stop, held_.find(stop));
  size_t safe = held_.size();
  if (first_stop != std::string::npos) {
    stopped_ = true;
    safe = first_stop;
  } else {
    for (const auto& stop : stops_) { // The longest end of the text that begins this stop string.
      for (size_t n = std::min(stop.size() - 1, held_.size()); n > 0; --n) {
        if (held_.compare(held_.size() - n, n, stop, 0, n) != 0) continue;
        safe = std::min(safe, held_.size() - n);
        break;
      }
    }
  }
  std::string shown = held_.substr(0, safe);
  held_.erase(0, safe);
  return shown;
}

std::string stop_filter::finish() {
  std::string rest = stopped_ ? std::string() : std::move(held_);
  held_.clear();
  return rest;
}

} // namespace troupe
