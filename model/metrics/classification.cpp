#include "model/metrics/classification.hpp"
#include "model/error.hpp"
#include <numeric>

namespace troupe {
namespace {

double ratio(uint64_t part, uint64_t whole) { return whole == 0 ? 0 : double(part) / double(whole); }

} // namespace

confusion_matrix::confusion_matrix(size_t classes) : classes_(classes), counts_(classes * classes) { TROUPE_ASSERT(classes >= 1); }

void confusion_matrix::add(size_t truth, size_t answer) {
  TROUPE_ASSERT(truth < classes_ && answer < classes_);
  ++counts_[truth * classes_ + answer];
}

uint64_t confusion_matrix::count(size_t truth, size_t answer) const {
  TROUPE_ASSERT(truth < classes_ && answer < classes_);
  return counts_[truth * classes_ + answer];
}

uint64_t confusion_matrix::total() const { return std::accumulate(counts_.begin(), counts_.end(), uint64_t(0)); }

uint64_t confusion_matrix::truths(size_t of_class) const {
  uint64_t sum = 0;
  for (size_t answer = 0; answer < classes_; ++answer) sum += count(of_class, answer);
  return sum;
}

uint64_t confusion_matrix::answers(size_t of_class) const {
  uint64_t sum = 0;
  for (size_t truth = 0; truth < classes_; ++truth) sum += count(truth, of_class);
  return sum;
}

double confusion_matrix::accuracy() const {
  uint64_t right = 0;
  for (size_t i = 0; i < classes_; ++i) right += count(i, i);
  return ratio(right, total());
}

double confusion_matrix::precision(size_t of_class) const { return ratio(count(of_class, of_class), answers(of_class)); }

double confusion_matrix::recall(size_t of_class) const { return ratio(count(of_class, of_class), truths(of_class)); }

double confusion_matrix::f1(size_t of_class) const {
  return ratio(2 * count(of_class, of_class), truths(of_class) + answers(of_class));
}

double confusion_matrix::macro_f1() const {
  double sum = 0;
  size_t occur = 0;
  for (size_t i = 0; i < classes_; ++i) {
    if (truths(i) + answers(i) == 0) continue;
    sum += f1(i);
    ++occur;
  }
  return occur == 0 ? 0 : sum / double(occur);
}

} // namespace troupe
