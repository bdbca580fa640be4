#pragma once
// Ends a stream of text before the first of some stop strings.
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// Text goes in piece by piece and comes out as soon as it cannot be the beginning of a stop string any more.
class stop_filter {
public:
  explicit stop_filter(std::vector<std::string> stops = {}); // Empty strings are ignored.
  /// What may be shown. Once stopped() everything is dropped.
  std::string push(std::string_view text);
  /// What was held back, at the end of the stream.
  std::string finish();
  bool stopped() const { return stopped_; }

private:
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

} // namespace troupe
