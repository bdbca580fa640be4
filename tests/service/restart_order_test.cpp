// Goal: of the requests that were under way when processes died, the one that ends them is given up, and no other one.
#include "apps/service/serving/restart_order.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace troupe::service {
namespace {

using names = std::vector<std::string>;

} // namespace

TEST_CASE("requests without deaths, or with one, go on together", "[restart]") {
  restart_order order;
  order.add("a", 0);
  order.add("b", 1);
  CHECK(order.suspects() == 0);
  CHECK(order.next() == names{"a", "b"});
  CHECK(order.next().empty());
  CHECK_FALSE(order.passed("a"));
}

TEST_CASE("suspects go on alone, those with the fewest deaths first, and the others behind them", "[restart]") {
  restart_order order;
  order.add("poison", 5);
  order.add("other", 1);
  order.add("first", 2);
  order.add("second", 2);
  CHECK(order.suspects() == 3);
  for (const std::string one : {"first", "second", "poison"}) {
    CHECK(order.next() == names{one});
    CHECK(order.is_alone());
    CHECK(order.next().empty());
    CHECK_FALSE(order.passed("other"));
    CHECK(order.passed(one));
  }
  CHECK(order.suspects() == 0);
  CHECK(order.next() == names{"other"});
}

TEST_CASE("whatever runs beside a request that ends each process, that one alone is given up", "[restart]") {
  // By the rules of the journal: deaths of those that had begun and got no further. A process computes as many at a time as `running_max`.
  for (const size_t count : {1, 2, 40})
    for (const size_t running_max : {1, 8, 40})
      for (const size_t poison : {size_t(0), count / 2, count - 1}) {
        CAPTURE(count, running_max, poison);
        std::map<size_t, uint32_t> deaths; // Of those that have not ended.
        for (size_t i = 0; i < count; ++i) deaths[i] = 0;
        size_t processes = 0;
        bool is_given_up = false;
        for (; !deaths.empty(); ++processes) {
          REQUIRE(processes < 100);
          restart_order order;
          for (const auto& [one, died] : deaths) {
            if (died < restart_order::deaths_max) order.add(std::to_string(one), died);
            else REQUIRE(one == poison);
          }
          if (deaths.contains(poison) && deaths[poison] >= restart_order::deaths_max) {
            deaths.erase(poison);
            is_given_up = true;
          }
          // What has begun ends, unless it is computed beside the poison or waits behind it.
          names begun;
          bool has_died = false;
          for (names next = order.next(); !next.empty() && !has_died; next = has_died ? names() : order.next()) {
            for (size_t i = 0; i < next.size(); ++i) {
              const size_t batch_end = std::min(next.size(), (i / running_max + 1) * running_max);
              for (size_t k = i / running_max * running_max; k < batch_end; ++k) has_died |= next[k] == std::to_string(poison);
              if (has_died) break;
              deaths.erase(std::stoul(next[i]));
              order.passed(next[i]);
            }
            if (has_died)
              for (const auto& one : next)
                if (const auto found = deaths.find(std::stoul(one)); found != deaths.end()) ++found->second;
          }
          if (!has_died && deaths.empty()) break;
        }
        CHECK(is_given_up);
      }
}

} // namespace troupe::service
