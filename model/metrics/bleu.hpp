#pragma once
// BLEU of a corpus: how many runs of one to four words a translation has in common with what people wrote.
//
// "BLEU: a Method for Automatic Evaluation of Machine Translation" (Papineni et al. 2002), section 2.3, with the choices that "A Call
// for Clarity in Reporting BLEU Scores" (Post 2018) made a standard, so that the figures are those of sacrebleu with its defaults
// (signature case:mixed|eff:no|tok:13a|smooth:exp):
//
//   BLEU = 100 * BP * (p1 p2 p3 p4)^(1/4)        pn = matches[n] / totals[n], sums over all segments
//   BP   = 1 if c >= r, else exp(1 - r / c)      c: words of the hypotheses, r: words of the references
//
// - Words are those of mteval-v13a (`words_13a`), capitals matter.
// - A match of an n-gram counts at most as often as it occurs in the reference where it is most frequent. With several references, r
//   takes the length closest to the hypothesis, the shorter of two that are equally close.
// - Exponential smoothing: the k-th order from below that has no match counts as 2^-k matches ("A Systematic Comparison of Smoothing
//   Techniques for Sentence-Level BLEU", Chen and Cherry 2014, method 3).
// - BLEU is 0 if nothing matches at all, or if the hypotheses have no run of four words.
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace troupe {

/// A text in the words of mteval-v13a, one space between them: punctuation stands alone, except "." and "," between digits, and
/// hyphens and apostrophes, which stay in words; a hyphen after a digit stands alone. "&amp;", "&quot;", "&lt;" and "&gt;" are read
/// as the character that they stand for.
std::string words_13a(std::string_view text);

struct bleu_score {
  double score = 0;                       // 0 ... 100
  std::array<double, 4> precisions{};     // Of 1 ... 4 words, 0 ... 100, smoothed.
  double brevity_penalty = 0;             // 0 ... 1
  std::array<uint64_t, 4> matches{}, totals{};
  uint64_t length = 0, reference_length = 0; // In words.
};

/// Adds up the segments of a corpus. The order in which they come makes no difference.
class bleu {
public:
  /// One segment: what was made, and what people wrote, at least one text.
  void add(std::string_view hypothesis, std::span<const std::string> references);
  void add(std::string_view hypothesis, const std::string& reference) { add(hypothesis, {&reference, 1}); }
  /// Of the segments so far.
  bleu_score result() const;

private:
  std::array<uint64_t, 4> matches_{}, totals_{};
  uint64_t length_ = 0, reference_length_ = 0;
};

} // namespace troupe
