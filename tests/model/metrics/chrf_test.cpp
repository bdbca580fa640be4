// Goal: the figures are those that sacrebleu gives. The numbers come from its own documentation and tests, where the comment says so.
#include "model/error.hpp"
#include "model/metrics/chrf.hpp"
#include "support/catch.hpp"
#include <vector>

using namespace troupe;

namespace {

struct segment {
  std::string hypothesis;
  std::vector<std::string> references;
};

double chrf_of(const std::vector<segment>& segments, chrf_options options = {}) {
  chrf sums(options);
  for (const segment& one : segments) sums.add(one.hypothesis, one.references);
  return sums.result();
}

constexpr chrf_options beta3{6, 0, 3}, with_words{6, 2, 2};

// The example in the documentation of Hugging Face's evaluate, which computes it with sacrebleu.
const std::vector<segment> friendly{
  {"The relationship between cats and dogs is not exactly friendly.", {"The relationship between dogs and cats is not exactly friendly."}},
  {"a good bookshop is just a genteel black hole that knows how to read.",
    {"A good bookshop is just a genteel Black Hole that knows how to read."}},
};

} // namespace

TEST_CASE("chrF and chrF++ of the example in the documentation of Hugging Face's evaluate are sacrebleu's", "[metrics]") {
  CHECK(chrf_of(friendly) == Approx(84.64214891738334).epsilon(1e-12));
  CHECK(chrf_of(friendly, with_words) == Approx(82.87263732906315).epsilon(1e-12));
}

TEST_CASE("chrF of the example in sacrebleu's README, with two references, is the figure printed there", "[metrics]") {
  CHECK(chrf_of({
          {"The dog bit the man.", {"The dog bit the man.", "The dog had bit the man."}},
          {"It wasn't surprising.", {"It was not unexpected.", "No one was surprised."}},
          {"The man had just bitten him.", {"The man bit him first.", "The man had bitten the dog."}},
        }) == Approx(59.73).margin(0.005));
}

TEST_CASE("chrF has the figures of sacrebleu's tests", "[metrics]") {
  // test_chrf.py, with beta 3; of those with beta 2 the ones whose orders all have n-grams, where its two ways of smoothing agree.
  CHECK(chrf_of({{" Die    Beziehung zwischen  Obama und Netanjahu ist nicht gerade  freundlich. ",
                  {"Das Verhältnis zwischen Obama und Netanyahu ist nicht gerade freundschaftlich."}}},
          beta3) == Approx(64.130269831561459).epsilon(1e-12));
  CHECK(chrf_of({{" risk assessment must be made of those who are qualified and expertise in the sector - these are the scientists .",
                  {"risk assessment has to be undertaken by those who are qualified and expert in that area - that is the scientists ."}}},
          beta3) == Approx(63.361730303214769).epsilon(1e-12));
  CHECK(chrf_of({{"a", {"a"}}}, beta3) == Approx(100));
  CHECK(chrf_of({{"", {"reference"}}}, beta3) == 0);
  CHECK(chrf_of({{"a b c", {"a b c"}}}, beta3) == Approx(100));
  CHECK(chrf_of({{"a b c", {"abc"}}}, beta3) == Approx(100));
  CHECK(chrf_of({{"a", {"a"}}, {"b", {"c"}}}, beta3) == Approx(50));
  CHECK(chrf_of({{"aa", {"ab"}}}, beta3) == Approx(25));
  CHECK(chrf_of({{"abcdefg", {"hijklmnop"}}}, beta3) == 0);
  const std::string same = "Niemand hat die Absicht, eine Mauer zu errichten";
  CHECK(chrf_of({{same, {same}}}) == Approx(100));
}

TEST_CASE("chrF counts characters, not bytes", "[metrics]") {
  // By hand: of "ä" and "ö" beside "ä" and "ü", 1 of 2 characters agrees and no pair: P = R = (1/2 + 0) / 2.
  CHECK(chrf_of({{"äö", {"äü"}}}) == Approx(25));
  CHECK(chrf_of({{"\xFF\xFE", {"\xFF\xFE"}}}) == Approx(100));
}

TEST_CASE("chrF leans to recall by beta", "[metrics]") {
  // By hand, single characters only: all of the hypothesis are right, half of the reference is there.
  for (const double beta : {1.0, 2.0, 3.0}) {
    const double beta2 = beta * beta, precision = 1, recall = 0.5;
    CHECK(chrf_of({{"ab", {"abxy"}}}, {1, 0, beta}) == Approx(100 * (1 + beta2) * precision * recall / (beta2 * precision + recall)));
  }
}

TEST_CASE("a reference too short for an order adds nothing to it, nor does its hypothesis", "[metrics]") {
  const double precision = (3 / 6.0 + 1) / 2, recall = 1; // Characters: 3 of 6 and 3 of 3. Pairs: 1 of 1 and 1 of 1, "ab" only.
  CHECK(chrf_of({{"abcd", {"a"}}, {"ab", {"ab"}}}, {2, 0, 2}) == Approx(100 * 5 * precision * recall / (4 * precision + recall)));
}

TEST_CASE("chrF of no segment is 0, and one without a reference is a bug of the caller", "[metrics]") {
  chrf sums;
  CHECK(sums.result() == 0);
  CHECK_THROWS_AS(sums.add("a", std::span<const std::string>()), broken_invariant);
}
