#pragma once
// chrF of a corpus: how many runs of one to six characters a translation has in common with what people wrote. Needs no words, so it
// suits languages with endings, and single words.
//
// "chrF: character n-gram F-score for automatic MT evaluation" (Popović 2015), section 2; with words beside characters it is chrF++
// ("chrF++: words helping character n-grams", Popović 2017). The figures are those of sacrebleu 2 with its defaults (signature
// case:mixed|eff:yes|nc:6|nw:0|space:no):
//
//   chrF = 100 * (1 + beta^2) * P * R / (beta^2 * P + R)
//
// P and R are the means, over the orders n, of matches[n] / n-grams of the hypotheses and matches[n] / n-grams of the references, which
// are sums over all segments. Orders that either side has no n-gram of are left out of the means; a segment whose reference has none
// adds none of its hypothesis either. Space is removed first. With several references the one with the best chrF of the segment counts.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

struct chrf_options {
  size_t character_order = 6;
  size_t word_order = 0; // 2 makes it chrF++. A mark at the end of a word, or else at its beginning, is a word of its own.
  double beta = 2;       // How much more recall counts than precision.
};

/// Adds up the segments of a corpus. The order in which they come makes no difference.
class chrf {
public:
  explicit chrf(chrf_options options = {});
  /// One segment: what was made, and what people wrote, at least one text.
  void add(std::string_view hypothesis, std::span<const std::string> references);
  void add(std::string_view hypothesis, const std::string& reference) { add(hypothesis, {&reference, 1}); }
  /// Of the segments so far, 0 ... 100; 0 if there are none.
  double result() const { return score(sums_); }

private:
  struct counts {
    uint64_t hypothesis = 0, reference = 0, common = 0; // Numbers of n-grams.
  };

  double score(std::span<const counts> orders) const;

  chrf_options options_;
  std::vector<counts> sums_; // One for each order: characters, then words.
};

} // namespace troupe
