#include "model/training/dropout.hpp"
#include "support/catch.hpp"
#include <cmath>
#include <vector>

using namespace troupe;

namespace {

std::vector<float> dropped(const dropout& what, uint32_t rows, uint32_t columns, uint32_t layer = 0,
                           dropout_site site = dropout_site::attention) {
  std::vector<float> values(rows * columns, 1.0f);
  apply(what, layer, site, {values.data(), rows, columns, columns});
  return values;
}

} // namespace

TEST_CASE("dropout drops the share it is told, and scales what it keeps so that the mean stays") {
  const float share = GENERATE(0.1f, 0.5f, 0.9f);
  const auto values = dropped({share, 1, 2, 0}, 200, 101);
  double zeros = 0, sum = 0;
  for (const float value : values) {
    zeros += value == 0;
    sum += double(value);
    if (value != 0) CHECK(value == 1.0f / (1.0f - share));
  }
  const double count = double(values.size());
  CHECK(std::abs(zeros / count - double(share)) < 4 * std::sqrt(0.25 / count));
  CHECK(std::abs(sum / count - 1) < 0.05);
}

TEST_CASE("what is dropped depends on seed, update, layer, site and row, not on how the batch is cut") {
  const dropout what{0.5f, 1, 2, 0};
  const auto whole = dropped(what, 10, 33);
  CHECK(dropped({0.5f, 1, 2, 4}, 6, 33) == std::vector<float>(whole.begin() + 4 * 33, whole.end()));
  CHECK(dropped({0.5f, 2, 2, 0}, 10, 33) != whole);
  CHECK(dropped({0.5f, 1, 3, 0}, 10, 33) != whole);
  CHECK(dropped({0.5f, 1, 2, 1}, 10, 33) != whole);
  CHECK(dropped(what, 10, 33, 1) != whole);
  CHECK(dropped(what, 10, 33, 0, dropout_site::feed_forward) != whole);
  CHECK(dropped(what, 10, 33) == whole);
}

TEST_CASE("without a share nothing is changed") { CHECK(dropped({}, 3, 5) == std::vector<float>(15, 1.0f)); }
