// Goal: accuracy, F1 and exact match are what their formulas say.
#include "model/error.hpp"
#include "model/metrics/classification.hpp"
#include "model/metrics/exact_match.hpp"
#include "support/catch.hpp"

using namespace troupe;

namespace {

confusion_matrix table(size_t classes, std::initializer_list<std::initializer_list<int>> rows) {
  confusion_matrix made(classes);
  size_t truth = 0;
  for (const auto& row : rows) {
    size_t answer = 0;
    for (const int count : row) {
      for (int i = 0; i < count; ++i) made.add(truth, answer);
      ++answer;
    }
    ++truth;
  }
  return made;
}

} // namespace

TEST_CASE("accuracy, precision, recall and F1 of a binary classifier", "[metrics]") {
  const auto found = table(2, {{50, 10}, {5, 35}}); // 35 found, 5 missed, 10 false alarms
  CHECK(found.total() == 100);
  CHECK(found.count(0, 1) == 10);
  CHECK(found.count(1, 0) == 5);
  CHECK(found.accuracy() == Approx(0.85));
  CHECK(found.precision(1) == Approx(35 / 45.0));
  CHECK(found.recall(1) == Approx(35 / 40.0));
  CHECK(found.f1(1) == Approx(2 * (35 / 45.0) * (35 / 40.0) / (35 / 45.0 + 35 / 40.0)));
}

TEST_CASE("macro-F1 is the mean of the classes' F1, as in scikit-learn's example", "[metrics]") {
  // The example in the documentation of scikit-learn's f1_score: macro 0.266..., of classes 0.8, 0, 0.
  confusion_matrix found(3);
  const size_t truth[] = {0, 1, 2, 0, 1, 2}, answer[] = {0, 2, 1, 0, 0, 1};
  for (size_t i = 0; i < 6; ++i) found.add(truth[i], answer[i]);
  CHECK(found.f1(0) == Approx(0.8));
  CHECK(found.f1(1) == 0);
  CHECK(found.f1(2) == 0);
  CHECK(found.macro_f1() == Approx(0.26666666666666666));
  CHECK(found.accuracy() == Approx(1 / 3.0)); // micro-averaged F1, 0.33 there
}

TEST_CASE("a class that never occurs is left out of macro-F1; one that is only answered counts as 0", "[metrics]") {
  CHECK(table(3, {{4, 0, 0}, {0, 4, 0}, {0, 0, 0}}).macro_f1() == 1);
  CHECK(table(3, {{4, 0, 0}, {0, 3, 1}, {0, 0, 0}}).macro_f1() == Approx((1 + 6 / 7.0 + 0) / 3));
}

TEST_CASE("figures of nothing are 0, and a class that is not there is a bug of the caller", "[metrics]") {
  confusion_matrix nothing(2);
  CHECK(nothing.accuracy() == 0);
  CHECK(nothing.precision(0) == 0);
  CHECK(nothing.f1(1) == 0);
  CHECK(nothing.macro_f1() == 0);
  CHECK_THROWS_AS(nothing.add(2, 0), broken_invariant);
  CHECK_THROWS_AS(nothing.add(0, 2), broken_invariant);
  CHECK_THROWS_AS(confusion_matrix(0), broken_invariant);
}

TEST_CASE("exact match counts equal bytes only", "[metrics]") {
  exact_match found;
  CHECK(found.result() == 0);
  found.add("2021-03-03", "2021-03-03");
  found.add("2021-03-03 ", "2021-03-03");
  found.add("2021-3-3", "2021-03-03");
  found.add("", "");
  CHECK(found.right() == 2);
  CHECK(found.total() == 4);
  CHECK(found.result() == 0.5);
}
