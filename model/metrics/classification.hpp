#pragma once
// How good a classifier is: the table of what was true and what was said, and the usual figures of it.
//
//   accuracy = right answers / all            precision(c) = right answers c / answers c        recall(c) = right answers c / truths c
//   F1(c)    = 2 * precision * recall / (precision + recall) = 2 TP / (2 TP + FP + FN)
//
// ("Information Retrieval", van Rijsbergen 1979, chapter 7.) Macro-F1 is the mean of F1 over the classes that occur, as truth or as
// answer: "Macro F1 and Macro F1" (Opitz and Burst 2019), formula 2, as scikit-learn's f1_score(average="macro"). What would be 0 / 0
// is 0.
#include <cstddef>
#include <cstdint>
#include <vector>

namespace troupe {

class confusion_matrix {
public:
  /// Classes are 0 ... classes - 1; classes >= 1.
  explicit confusion_matrix(size_t classes);

  void add(size_t truth, size_t answer);
  uint64_t count(size_t truth, size_t answer) const;
  size_t classes() const { return classes_; }
  /// All that was added; all of them that are of a class.
  uint64_t total() const;
  uint64_t truths(size_t of_class) const;

  /// All figures are 0 ... 1.
  double accuracy() const;
  double precision(size_t of_class) const;
  double recall(size_t of_class) const;
  /// Of a binary classifier: f1(1), where class 1 is what is looked for.
  double f1(size_t of_class) const;
  double macro_f1() const;

private:
  uint64_t answers(size_t of_class) const;

  size_t classes_;
  std::vector<uint64_t> counts_; // [truth][answer]
};

} // namespace troupe
