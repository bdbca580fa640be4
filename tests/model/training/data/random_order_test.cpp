// Goal: orders are permutations that differ by seed, epoch and purpose, the same for ever; a split has exact counts.
#include "model/error.hpp"
#include "model/training/data/random_order.hpp"
#include "model/training/data/split.hpp"
#include "support/catch.hpp"
#include <algorithm>
#include <map>
#include <numeric>
#include <set>

using namespace troupe;

namespace {

using numbers = std::vector<uint32_t>;
constexpr auto for_documents = order_purpose::documents;

} // namespace

TEST_CASE("a shuffled order is the same for ever") { // Computed by a program that shares no code with ours.
  CHECK(shuffled(12, 1, 0, for_documents) == numbers{7, 8, 0, 10, 4, 5, 6, 9, 11, 1, 3, 2});
  CHECK(shuffled(12, 1, 1, for_documents) == numbers{6, 11, 5, 9, 0, 7, 1, 8, 3, 2, 4, 10});
  CHECK(shuffled(12, 0x123456789ABCDEF0, uint64_t(1) << 40, order_purpose::split) == numbers{9, 2, 3, 7, 6, 4, 0, 10, 1, 8, 5, 11});
}

TEST_CASE("a shuffled order is a permutation, and another one for each seed, epoch and purpose") {
  for (uint32_t count = 0; count < 70; ++count) {
    auto order = shuffled(count, 9, 3, for_documents);
    std::sort(order.begin(), order.end());
    numbers wanted(count);
    std::iota(wanted.begin(), wanted.end(), 0u);
    REQUIRE(order == wanted);
  }
  std::set<numbers> orders;
  size_t made = 0;
  for (const uint64_t seed : {uint64_t(0), uint64_t(1), uint64_t(1) << 32, ~uint64_t(0)})
    for (const uint64_t epoch : {uint64_t(0), uint64_t(1), uint64_t(1) << 32})
      for (const auto purpose : {for_documents, order_purpose::split, order_purpose::sequences, order_purpose::batches, order_purpose::vocabulary_sample}) {
        orders.insert(shuffled(100, seed, epoch, purpose));
        ++made;
      }
  CHECK(orders.size() == made);
}

TEST_CASE("all permutations are equally likely") {
  std::map<numbers, int> counts;
  constexpr int draws = 24000;
  for (uint64_t seed = 0; seed < draws; ++seed) ++counts[shuffled(4, seed, 0, for_documents)];
  CHECK(counts.size() == 24);
  double chi_square = 0; // 23 degrees of freedom: above 58.6 with a probability of 6e-5.
  for (const auto& [order, count] : counts) chi_square += (count - 1000.0) * (count - 1000.0) / 1000.0;
  CHECK(chi_square < 58.6);
}

TEST_CASE("a split has each document once, and exactly the share asked for") {
  for (const uint64_t documents : {2u, 3u, 10u, 1000u})
    for (const double share : {0.0, 0.001, 0.1, 0.5, 0.999}) {
      const auto split = split_documents(documents, {share, 7});
      auto all = split.training;
      all.insert(all.end(), split.validation.begin(), split.validation.end());
      CHECK(std::is_sorted(split.training.begin(), split.training.end()));
      CHECK(std::is_sorted(split.validation.begin(), split.validation.end()));
      std::sort(all.begin(), all.end());
      numbers wanted(documents);
      std::iota(wanted.begin(), wanted.end(), 0u);
      CHECK(all == wanted);
      const auto exact = static_cast<uint64_t>(std::llround(share * static_cast<double>(documents)));
      CHECK(split.validation.size() == (share == 0 ? 0 : std::clamp<uint64_t>(exact, 1, documents - 1)));
    }
  CHECK(split_documents(10, {0.3, 1}).validation == numbers{5, 7, 8});
  CHECK(split_documents(10, {0.3, 2}).validation == numbers{0, 6, 8});
}

TEST_CASE("a split that cannot be is refused") {
  CHECK_THROWS_WITH(split_documents(1, {0.1, 0}), ContainsSubstring("there is none to keep for validation"));
  CHECK(split_documents(1, {0, 0}).training == numbers{0});
  for (const double share : {-0.1, 1.0, std::nan("")}) CHECK_THROWS_AS(split_documents(10, {share, 0}), input_error);
}
