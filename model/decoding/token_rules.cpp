#include "model/decoding/token_rules.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <limits>

namespace troupe {
namespace {

constexpr float never = -std::numeric_limits<float>::infinity();

void force(std::span<float> scores, uint32_t token) {
  TROUPE_ASSERT(token < scores.size());
  std::fill(scores.begin(), scores.end(), never);
  scores[token] = 0;
}

/// Whatever followed the log's last n - 1 tokens before.
void forbid_repeated(std::span<float> scores, std::span<const uint32_t> log, uint32_t n) {
  if (log.size() < n) return;
  const auto last = log.last(n - 1);
  for (size_t begin = 0; begin + n <= log.size(); ++begin)
    if (std::equal(last.begin(), last.end(), log.begin() + ptrdiff_t(begin))) scores[log[begin + n - 1]] = never;
}

} // namespace

bool token_rules::empty() const {
  return tokens_min == 0 && no_repeat_ngram == 0 && !forced_first && !forced_last && forbidden.empty();
}

bool token_rules::ends(uint32_t token) const { return std::find(end_tokens.begin(), end_tokens.end(), token) != end_tokens.end(); }

void token_rules::apply(std::span<float> scores, std::span<const uint32_t> log, uint32_t generated, uint32_t tokens_max) const {
  if (no_repeat_ngram > 0) forbid_repeated(scores, log, no_repeat_ngram);
  for (const auto& sequence : forbidden) {
    const auto before = std::span(sequence).first(sequence.size() - 1);
    const bool is_next = log.size() >= before.size() && std::equal(before.begin(), before.end(), log.end() - ptrdiff_t(before.size()));
    if (is_next) scores[sequence.back()] = never;
  }
  if (generated < tokens_min)
    for (const uint32_t token : end_tokens) scores[token] = never;
  if (forced_first && generated == 0) force(scores, *forced_first);
  if (forced_last && generated + 1 == tokens_max) force(scores, *forced_last);
}

std::string invalid(const token_rules& rules, uint32_t vocabulary) {
  const auto beyond = [&](uint32_t token, const char* what) {
    return std::string(what) + " " + std::to_string(token) + ", but the vocabulary ends at " + std::to_string(vocabulary - 1);
  };
  if (rules.end_tokens.size() > 1024) return "there are more than 1024 end tokens";
  for (const uint32_t token : rules.end_tokens)
    if (token >= vocabulary) return beyond(token, "an end token is");
  if (rules.forced_first && *rules.forced_first >= vocabulary) return beyond(*rules.forced_first, "the forced first token is");
  if (rules.forced_last && *rules.forced_last >= vocabulary) return beyond(*rules.forced_last, "the forced last token is");
  for (const auto& sequence : rules.forbidden) {
    if (sequence.empty()) return "a forbidden sequence of tokens is empty";
    for (const uint32_t token : sequence)
      if (token >= vocabulary) return beyond(token, "a forbidden token is");
  }
  return {};
}

} // namespace troupe
