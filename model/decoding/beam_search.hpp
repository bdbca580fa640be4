#pragma once
// Beam search: the sequences with the largest sum of log-probabilities, of which a few are followed side by side (Lowerre 1976;
// in translation Sutskever et al. 2014). Length penalty after Wu et al. 2016, §7, in the form that transformers uses. Pure code:
// logits in, continuations out.
#include "model/decoding/token_rules.hpp"
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace troupe {

enum class early_stopping : uint8_t {
  no,    // Ends when the best unfinished one, ended now, would not be among the finished ones.
  yes,   // Ends when as many as `beams` have finished.
  never, // Ends when the best unfinished one could not get among them at the greatest length.
};

struct beam_options {
  uint32_t beams = 4;       // How many are followed.
  uint32_t best = 1;        // How many are wanted; at most `beams`.
  float length_penalty = 1; // score = sum of log-probabilities / (generated tokens)^length_penalty.
  early_stopping stopping = early_stopping::no;
};

/// A reason to refuse the options, in words for the user, or an empty string.
std::string invalid(const beam_options& options);

/// A finished sequence: its generated tokens, the end token included.
struct hypothesis {
  std::vector<uint32_t> tokens;
  float score = 0;
  bool operator==(const hypothesis&) const = default;
};

/// One search. A live branch is a sequence that may go on; every advance() takes the logits of all of them and makes the next
/// live branches, as transformers' generate() does: of the 2 * beams (more, with several end tokens) likeliest continuations of all,
/// those that end and are among the `beams` likeliest become finished, and the likeliest of the others become live. A forced
/// token counts as probability 1; forbidden ones are left out and the others not normalised again. Sums are float64; of two
/// equal ones the earlier branch, then the lower token comes first. So the same logits give the same result anywhere.
class beam_search {
public:
  struct branch {
    std::vector<uint32_t> log; // What it begins with, and the generated tokens.
    double sum = 0;            // Of log-probabilities.
    uint32_t parent = 0;       // Its place among the live branches before.
  };

  /// prompt: what every branch begins with, at least one token. tokens_max: generated tokens, at least 1.
  beam_search(beam_options options, token_rules rules, std::vector<uint32_t> prompt, uint32_t tokens_max);

  const std::vector<branch>& live() const { return live_; } // The likeliest first.
  bool done() const { return done_; }
  /// logits: of the last token of each live branch, in order. Not when done.
  void advance(const std::vector<std::span<const float>>& logits);
  /// When done: the best first, at most options.best.
  std::vector<hypothesis> best() const;

private:
  struct candidate {
    double sum;
    uint32_t parent, token;
  };
  std::vector<candidate> likeliest_continuations(const std::vector<std::span<const float>>& logits) const;
  void finish(const candidate& ended, uint32_t generated);
  bool can_improve(uint32_t generated) const;
  double score(double sum, uint32_t generated) const;

  struct finished_branch {
    std::vector<uint32_t> tokens;
    double score;
  };
  beam_options options_;
  token_rules rules_;
  uint32_t prompt_size_, tokens_max_;
  std::vector<branch> live_;
  std::vector<finished_branch> finished_; // At most options_.beams, the best first.
  bool done_ = false;
};

} // namespace troupe
