#pragma once
// Exact match: the share of outputs that are the expected text, byte for byte. Of questions about a text it is the first figure of
// "SQuAD: 100,000+ Questions for Machine Comprehension of Text" (Rajpurkar et al. 2016), section 6.1, without its normalisation.
#include <cstdint>
#include <string_view>

namespace troupe {

class exact_match {
public:
  void add(std::string_view output, std::string_view expected) {
    ++total_;
    if (output == expected) ++right_;
  }
  uint64_t right() const { return right_; }
  uint64_t total() const { return total_; }
  /// 0 ... 1; 0 if there is nothing.
  double result() const { return total_ == 0 ? 0 : double(right_) / double(total_); }

private:
  uint64_t right_ = 0, total_ = 0;
};

} // namespace troupe
