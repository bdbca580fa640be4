#include "model/decoding/token_rules.hpp"
#include "model/error.hpp"
#include "model/kernels/exponential.hpp"
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

void forbid(std::span<float> scores, uint32_t from, uint32_t to) {
  for (uint32_t token = from; token < std::min(to, uint32_t(scores.size())); ++token) scores[token] = never;
}

/// Which times may follow what was generated, and whether text may.
void order_times(std::span<float> scores, std::span<const uint32_t> generated, const timestamp_rules& rules) {
  const auto is_time = [&](uint32_t token) { return token >= rules.first; };
  const auto end = uint32_t(scores.size());
  forbid(scores, rules.first - 1, rules.first); // Whisper's <|notimestamps|>.
  if (generated.empty()) {
    forbid(scores, 0, rules.first);
    if (rules.initial_max && *rules.initial_max < end - rules.first) forbid(scores, rules.first + *rules.initial_max + 1, end);
    return;
  }
  const bool is_after_time = is_time(generated.back());
  const bool is_after_pair = is_after_time && (generated.size() < 2 || is_time(generated[generated.size() - 2]));
  if (is_after_pair) forbid(scores, rules.first, end);
  else if (is_after_time) forbid(scores, 0, rules.text_end);
  const auto last = std::find_if(generated.rbegin(), generated.rend(), is_time);
  // A segment ends later than it begins; the next one begins at once.
  if (last != generated.rend()) forbid(scores, rules.first, is_after_time && !is_after_pair ? *last : *last + 1);
}

/// Whether all times together are likelier than the likeliest other token.
void prefer_times(std::span<float> scores, const timestamp_rules& rules) {
  const auto others = scores.first(rules.first), times = scores.subspan(rules.first);
  const double most = *std::max_element(times.begin(), times.end());
  if (most == double(never)) return;
  double sum = 0;
  for (const float score : times) sum += exponential(double(score) - most);
  if (most + logarithm(sum) > double(*std::max_element(others.begin(), others.end()))) std::fill(others.begin(), others.end(), never);
}

} // namespace

bool token_rules::empty() const {
  return tokens_min == 0 && no_repeat_ngram == 0 && !forced_first && !forced_last && forbidden.empty() && suppressed.empty() &&
         suppressed_first.empty() && !timestamps;
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
  for (const uint32_t token : suppressed) scores[token] = never;
  if (generated == 0)
    for (const uint32_t token : suppressed_first) scores[token] = never;
  if (timestamps) {
    order_times(scores, log.last(generated), *timestamps);
    prefer_times(scores, *timestamps);
  }
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
  if (rules.suppressed.size() > vocabulary || rules.suppressed_first.size() > vocabulary)
    return "there are more suppressed tokens than tokens";
  for (const auto* tokens : {&rules.suppressed, &rules.suppressed_first})
    for (const uint32_t token : *tokens)
      if (token >= vocabulary) return beyond(token, "a suppressed token is");
  if (rules.timestamps && (rules.timestamps->first == 0 || rules.timestamps->first >= vocabulary))
    return beyond(rules.timestamps->first, "the first time is");
  if (rules.timestamps && rules.timestamps->text_end > rules.timestamps->first)
    return "the tokens of text do not end before those of times";
  for (const auto& sequence : rules.forbidden) {
    if (sequence.empty()) return "a forbidden sequence of tokens is empty";
    for (const uint32_t token : sequence)
      if (token >= vocabulary) return beyond(token, "a forbidden token is");
  }
  return {};
}

} // namespace troupe
