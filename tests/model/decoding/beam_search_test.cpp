// Goal: beam search follows the likeliest sequences by the rules of beam_search.hpp, and tokens are forced and forbidden by those of
// token_rules.hpp.
#include "model/decoding/beam_search.hpp"
#include "support/catch.hpp"
#include <cmath>
#include <map>

using namespace troupe;

namespace {

constexpr uint32_t start = 0, end_token = 1, a = 2, b = 3;
constexpr float no = -30; // As a logit: next to nothing.

/// A made-up model: probabilities of the tokens that may follow a log.
using language = std::map<std::vector<uint32_t>, std::map<uint32_t, float>>;

std::vector<float> logits_after(const language& model, const std::vector<uint32_t>& log) {
  std::vector<float> logits(4, no);
  const auto found = model.find(log);
  if (found == model.end()) logits[end_token] = 0;
  else
    for (const auto& [token, probability] : found->second) logits[token] = std::log(probability);
  return logits;
}

std::vector<hypothesis> found_by(const language& model, beam_options options, uint32_t tokens_max, token_rules rules = {}) {
  rules.end_tokens = {end_token};
  beam_search beams(options, rules, {start}, tokens_max);
  while (!beams.done()) {
    std::vector<std::vector<float>> logits;
    for (const auto& branch : beams.live()) logits.push_back(logits_after(model, branch.log));
    beams.advance({logits.begin(), logits.end()});
  }
  return beams.best();
}

/// The likeliest first token leads nowhere good: greedily one gets a (0.6 * 0.4), while b is always right (0.4 * 1).
const language tempting{{{start}, {{a, 0.6f}, {b, 0.4f}}}, {{start, a}, {{a, 0.4f}, {b, 0.35f}, {end_token, 0.25f}}}};

using ids = std::vector<uint32_t>;

} // namespace

TEST_CASE("two beams find the likeliest sequence, one beam the greedy one") {
  const auto two = found_by(tempting, {.beams = 2, .best = 2}, 8);
  REQUIRE(two.size() == 2);
  CHECK(two[0].tokens == ids{b, end_token});
  CHECK(two[0].score == Approx(std::log(0.4f) / 2));
  CHECK(two[1].tokens == ids{a, a, end_token});
  CHECK(found_by(tempting, {.beams = 1, .best = 1}, 8)[0].tokens == ids{a, a, end_token});
}

TEST_CASE("a length penalty above 1 favours longer sequences, below 1 shorter ones") {
  const language either{{{start}, {{a, 0.5f}, {b, 0.5f}}}, {{start, a}, {{a, 0.9f}, {end_token, 0.1f}}},
                        {{start, b}, {{end_token, 0.95f}, {b, 0.05f}}}, {{start, a, a}, {{end_token, 1.0f}}}};
  CHECK(found_by(either, {.beams = 2, .best = 1, .length_penalty = 0}, 8)[0].tokens == ids{b, end_token});
  CHECK(found_by(either, {.beams = 2, .best = 1, .length_penalty = 2}, 8)[0].tokens == ids{a, a, end_token});
}

TEST_CASE("what has not ended when there is no more room counts as it is") {
  language endless;
  for (ids log{start}; log.size() < 6; log.push_back(a)) endless[log] = {{a, 1.0f}};
  const auto found = found_by(endless, {.beams = 2, .best = 2}, 3);
  REQUIRE(!found.empty());
  CHECK(found[0].tokens == ids{a, a, a});
}

TEST_CASE("tokens are forced, forbidden and kept from repeating") {
  token_rules rules;
  rules.forced_first = a;
  CHECK(found_by(tempting, {.beams = 2, .best = 1}, 8, rules)[0].tokens.front() == a);
  rules = {};
  rules.forced_last = b;
  CHECK(found_by(tempting, {.beams = 1, .best = 1}, 2, rules)[0].tokens == ids{a, b});
  rules = {};
  rules.forbidden = {{a}};
  CHECK(found_by(tempting, {.beams = 1, .best = 1}, 8, rules)[0].tokens == ids{b, end_token});
  rules.forbidden = {{a, a}};
  CHECK(found_by(tempting, {.beams = 1, .best = 1}, 8, rules)[0].tokens == ids{a, b, end_token});
  rules = {};
  rules.tokens_min = 3;
  CHECK(found_by(tempting, {.beams = 2, .best = 1}, 8, rules)[0].tokens.size() >= 4);
  rules = {};
  rules.no_repeat_ngram = 1;
  CHECK(found_by(tempting, {.beams = 1, .best = 1}, 8, rules)[0].tokens == ids{a, b, end_token});
}

TEST_CASE("token rules apply to the scores they are given") {
  const auto allowed = [](const token_rules& rules, const ids& log, uint32_t generated, uint32_t tokens_max) {
    std::vector<float> scores(4, 1);
    rules.apply(scores, log, generated, tokens_max);
    ids left;
    for (uint32_t token = 0; token < scores.size(); ++token)
      if (std::isfinite(scores[token])) left.push_back(token);
    return left;
  };
  token_rules rules;
  rules.no_repeat_ngram = 2;
  CHECK(allowed(rules, {start, a, b, start}, 3, 9) == ids{0, 1, 3}); // start a has been.
  CHECK(allowed(rules, {start}, 0, 9).size() == 4);
  rules = {};
  rules.forbidden = {{a, b}, {end_token}};
  CHECK(allowed(rules, {start, a}, 1, 9) == ids{0, 2});
  CHECK(allowed(rules, {start, b}, 1, 9) == ids{0, 2, 3});
  rules = {};
  rules.end_tokens = {end_token};
  rules.tokens_min = 2;
  CHECK(allowed(rules, {start, a}, 1, 9) == ids{0, 2, 3});
  CHECK(allowed(rules, {start, a, a}, 2, 9).size() == 4);
  rules.forced_last = end_token;
  CHECK(allowed(rules, {start, a, a}, 2, 3) == ids{end_token});
}

TEST_CASE("options and rules that make no sense are refused with a reason") {
  CHECK(invalid(beam_options{}).empty());
  CHECK(invalid(beam_options{.beams = 0}).starts_with("0 beams"));
  CHECK(invalid(beam_options{.beams = 2, .best = 3}).starts_with("3 results of 2 beams"));
  CHECK(invalid(beam_options{.length_penalty = NAN}) == "the length penalty is no finite number");
  token_rules rules;
  CHECK(invalid(rules, 4).empty());
  rules.forbidden = {{}};
  CHECK(invalid(rules, 4) == "a forbidden sequence of tokens is empty");
  rules.forbidden = {{4}};
  CHECK(invalid(rules, 4).starts_with("a forbidden token is 4"));
}
