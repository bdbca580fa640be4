// Goal: times among generated text follow the rules of token_rules.hpp, and windows become segments by those of transcript.hpp.
#include "model/decoding/transcript.hpp"
#include "model/error.hpp"
#include "support/catch.hpp"
#include <cmath>

using namespace troupe;

namespace {

// Tokens: 0 to 3 are text, 4 ends, 5 says that there are no times, 6 to 15 are times 0 to 9.
constexpr uint32_t end_token = 4, special = 5, time0 = 6, vocabulary = 16;
using ids = std::vector<uint32_t>;

token_rules rules_of(std::optional<uint32_t> initial_max = {}) {
  token_rules rules;
  rules.timestamps = timestamp_rules{.first = time0, .text_end = end_token, .initial_max = initial_max};
  return rules;
}

/// What may follow, where every text is far likelier than all times together, or the other way round.
ids allowed(const token_rules& rules, const ids& generated, bool text_is_likely = true) {
  ids log{5, 5};
  log.insert(log.end(), generated.begin(), generated.end());
  std::vector<float> scores(vocabulary, 0.0f);
  for (uint32_t token = 0; token < time0; ++token) scores[token] = text_is_likely ? 10.0f : 1.0f;
  rules.apply(scores, log, uint32_t(generated.size()), 100);
  ids found;
  for (uint32_t token = 0; token < vocabulary; ++token)
    if (scores[token] != -INFINITY) found.push_back(token);
  return found;
}

ids from(uint32_t first, uint32_t count) {
  ids all;
  for (uint32_t i = 0; i < count; ++i) all.push_back(first + i);
  return all;
}

ids both(ids a, const ids& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

constexpr timestamp_rules times{.first = time0, .text_end = end_token, .initial_max = {}};

} // namespace

TEST_CASE("suppressed tokens never come, or not first") {
  token_rules rules;
  CHECK(rules.empty());
  rules.suppressed = {1, 9};
  rules.suppressed_first = {2, end_token};
  CHECK(!rules.empty());
  CHECK(allowed(rules, {}) == ids{0, 3, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15});
  CHECK(allowed(rules, {0}) == ids{0, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15});
  CHECK(invalid(rules, vocabulary) == "");
  CHECK(invalid(rules, 9).find("a suppressed token is 9") == 0);
}

TEST_CASE("a window begins with a time, and not with a late one") {
  CHECK(allowed(rules_of(), {}) == from(time0, 10));
  CHECK(allowed(rules_of(3), {}) == from(time0, 4));
  CHECK(allowed(rules_of(99), {}) == from(time0, 10));
}

TEST_CASE("times come in pairs, never go back, and a segment takes time") {
  const auto rules = rules_of();
  CHECK(allowed(rules, {time0}) == from(0, 5));                                       // After the first one: text.
  CHECK(allowed(rules, {time0, 1}) == both(from(0, 5), from(time0 + 1, 9)));          // It ends later than it began.
  // The next one begins there or later, or all ends.
  CHECK(allowed(rules, {time0, 1, time0 + 3}) == both({end_token}, from(time0 + 3, 7)));
  CHECK(allowed(rules, {time0, 1, time0 + 3, time0 + 3}) == from(0, 5));
  CHECK(allowed(rules, {time0, 1, time0 + 3, time0 + 4, 2}) == both(from(0, 5), from(time0 + 5, 5)));
  CHECK(allowed(rules, {time0, 1, time0 + 9, time0 + 9, 2}) == from(0, 5)); // No time is left.
}

TEST_CASE("where all times together are likelier than any text, a time comes") {
  // Ten times of score 0 are as likely as one of ln 10 = 2.3; nine as one of 2.2.
  CHECK(allowed(rules_of(), {time0, 1}, false) == from(time0 + 1, 9));
  CHECK(allowed(rules_of(), {time0}, false) == from(0, 5)); // Not where none may come.
  CHECK(invalid(rules_of(), time0) != "");
}

TEST_CASE("two times side by side end a segment, and the rest is heard again") {
  const auto heard = read_window(ids{time0, 1, 2, time0 + 3, time0 + 3, 3, time0 + 5, time0 + 6, 1}, times, 10);
  REQUIRE(heard.segments.size() == 2);
  CHECK(heard.segments[0] == transcript_segment{0, 3, {1, 2}});
  CHECK(heard.segments[1] == transcript_segment{3, 5, {3}});
  CHECK(heard.advance == 5); // Where the last one that is complete ends.
}

TEST_CASE("a time alone at the end says that nothing follows") {
  const auto heard = read_window(ids{time0, 1, time0 + 3, time0 + 4, 2, time0 + 7}, times, 10);
  REQUIRE(heard.segments.size() == 2);
  CHECK(heard.segments[1] == transcript_segment{4, 7, {2}});
  CHECK(heard.advance == 10);
}

TEST_CASE("without a pair of times a window is one segment, up to the last time or its end") {
  CHECK(read_window(ids{time0, 1, 2}, times, 8).segments == std::vector{transcript_segment{0, 8, {1, 2}}});
  const auto one = read_window(ids{time0 + 1, 1, special, time0 + 4}, times, 8);
  CHECK(one.segments == std::vector{transcript_segment{0, 4, {1}}});
  CHECK(one.advance == 8);
  CHECK(read_window({}, times, 8).segments.empty());
  CHECK(read_window({}, times, 8).advance == 8);
}

TEST_CASE("segments without text or time are left out, and every window goes on") {
  const auto heard = read_window(ids{time0, 1, time0, time0, 2}, times, 8);
  CHECK(heard.segments.empty());
  CHECK(heard.advance == 8);
  CHECK(read_window(ids{time0, special, time0 + 2, time0 + 2}, times, 8).segments.empty());
  CHECK(read_window(ids{time0, 1, time0 + 9, time0 + 9}, times, 4).advance == 4); // Beyond the sound.
}
