// Goal: the figures are those that sacrebleu gives. The numbers come from its own documentation and tests, where the comment says so.
#include "model/error.hpp"
#include "model/metrics/bleu.hpp"
#include "support/catch.hpp"
#include <cmath>
#include <vector>

using namespace troupe;

namespace {

struct segment {
  std::string hypothesis;
  std::vector<std::string> references;
};

bleu_score bleu_of(const std::vector<segment>& segments) {
  bleu sums;
  for (const segment& one : segments) sums.add(one.hypothesis, one.references);
  return sums.result();
}

// The example of sacrebleu's README, with two references.
const std::vector<segment> bitten{
  {"The dog bit the man.", {"The dog bit the man.", "The dog had bit the man."}},
  {"It wasn't surprising.", {"It was not unexpected.", "No one was surprised."}},
  {"The man had just bitten him.", {"The man bit him first.", "The man had bitten the dog."}},
};

} // namespace

TEST_CASE("BLEU of the example in sacrebleu's README is the figure printed there", "[metrics]") {
  const bleu_score found = bleu_of(bitten);
  CHECK(found.score == Approx(48.530827).epsilon(1e-8)); // With all its digits: sacrebleu's test_bleu.py.
  CHECK(found.precisions[0] == Approx(82.4).margin(0.05));
  CHECK(found.precisions[1] == Approx(50.0).margin(0.05));
  CHECK(found.precisions[2] == Approx(45.5).margin(0.05));
  CHECK(found.precisions[3] == Approx(37.5).margin(0.05));
  CHECK(found.brevity_penalty == Approx(0.943).margin(0.0005));
  CHECK(found.length == 17);
  CHECK(found.reference_length == 18);
}

TEST_CASE("BLEU of the example in the documentation of Hugging Face's evaluate is sacrebleu's", "[metrics]") {
  const bleu_score found = bleu_of({
    {"hello there general kenobi", {"hello there general kenobi", "hello there !"}},
    {"on our way to ankh morpork", {"goodbye ankh morpork", "ankh morpork"}},
  });
  CHECK(found.score == Approx(39.76353643835252).epsilon(1e-12));
  CHECK(found.matches == std::array<uint64_t, 4>{6, 4, 2, 1});
  CHECK(found.totals == std::array<uint64_t, 4>{10, 8, 6, 4});
  CHECK(found.precisions[2] == Approx(33.333333333333336).epsilon(1e-12));
  CHECK(found.brevity_penalty == 1);
  CHECK(found.reference_length == 7);
}

TEST_CASE("orders without a match are smoothed exponentially, as in sacrebleu's tests", "[metrics]") {
  // test_sentence_bleu.py: smoothing "exp" and words "13a". All four orders have n-grams, so that the effective order is 4.
  const bleu_score found = bleu_of({{"Producția de zahăr primă va fi exprimată în ceea ce privește zahărul alb;",
    {"producţia de zahăr brut se exprimă în zahăr alb;"}}});
  CHECK(found.score == Approx(8.493).margin(1e-3));
  // By hand: 1 of 4 words matches, and nothing longer: of 3, 2 and 1 longer runs 1/2, 1/4 and 1/8.
  const bleu_score single = bleu_of({{"a b c d", {"a x y z"}}});
  CHECK(single.score == Approx(100 * std::pow(1 / 4.0 * (0.5 / 3) * (0.25 / 2) * 0.125, 0.25)));
}

TEST_CASE("BLEU is 100 for the reference itself, and 0 where nothing or no run of four words can match", "[metrics]") {
  CHECK(bleu_of({{"this is a test", {"this is a test"}}}).score == Approx(100));
  CHECK(bleu_of({{"this is a cat", {"okay thanks"}}}).score == 0); // sacrebleu's issue 141
  CHECK(bleu_of({{"", bitten[0].references}, {"", bitten[1].references}}).score == 0);
  CHECK(bleu_of({{"a test", {"a test"}}}).score == 0); // The effective order is off.
  CHECK(bleu_of({}).score == 0);
}

TEST_CASE("BLEU is of the corpus: sums of counts, not a mean of segments, in any order", "[metrics]") {
  const std::vector<segment> turned(bitten.rbegin(), bitten.rend());
  CHECK(bleu_of(turned).score == bleu_of(bitten).score);
  double mean = 0;
  for (const segment& one : bitten) mean += bleu_of({one}).score / 3;
  CHECK(std::abs(bleu_of(bitten).score - mean) > 0.1);
}

TEST_CASE("short hypotheses are punished by the closest reference, and the shorter of two that are equally close", "[metrics]") {
  CHECK(bleu_of({{"a b c d", {"a b c d e f", "a b c d e"}}}).reference_length == 5);
  CHECK(bleu_of({{"a b c d", {"a b c d e", "a b c"}}}).reference_length == 3);
  CHECK(bleu_of({{"a b c d", {"a b c", "a b c d e"}}}).reference_length == 3);
  CHECK(bleu_of({{"a b c d", {"a b c d e f"}}}).score == Approx(100 * std::exp(1 - 6 / 4.0)));
}

TEST_CASE("words are those of mteval-v13a", "[metrics]") {
  // By its patterns, carried out by hand.
  CHECK(words_13a("Hello, world!") == "Hello , world !");
  CHECK(words_13a("It costs 1,000.50 (or 1.5%).") == "It costs 1,000.50 ( or 1.5 % ) .");
  CHECK(words_13a("a.b 3.b a.3 .5") == "a . b 3 . b a . 3 . 5");
  CHECK(words_13a("3-4 well-known don't x-3") == "3 - 4 well-known don't x-3");
  CHECK(words_13a("&quot;R&amp;D&quot; &lt;b&gt;") == "\" R & D \" < b >");
  CHECK(words_13a("&amp;lt;") == "<");
  CHECK(words_13a("wait... what") == "wait . . . what");
  CHECK(words_13a("exam-\nple\nline <skipped>two") == "example line two");
  CHECK(words_13a("  two\u00A0 words\u3000here\t") == "two words here");
  CHECK(words_13a("„Grüße“, sagte er.") == "„Grüße“ , sagte er .");
  CHECK(words_13a("").empty());
}

TEST_CASE("a segment without a reference is a bug of the caller", "[metrics]") {
  bleu sums;
  CHECK_THROWS_AS(sums.add("a", std::span<const std::string>()), broken_invariant);
}
