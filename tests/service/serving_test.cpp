// Goal: who may ask what, when a request is refused, and what is counted.
#include "apps/service/serving/admission.hpp"
#include "apps/service/serving/service_metrics.hpp"
#include "apps/service/serving/tenants.hpp"
#include "model/error.hpp"
#include "support/catch.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

namespace troupe::service {
namespace {

std::vector<tenant_key> keys_of(const std::string& text) {
  const auto path = std::filesystem::temp_directory_path() / ("troupe_keys_" + std::to_string(getpid()));
  std::ofstream(path) << text;
  try {
    auto keys = read_keys(path);
    std::filesystem::remove(path);
    return keys;
  } catch (...) {
    std::filesystem::remove(path);
    throw;
  }
}

} // namespace

TEST_CASE("keys have names, weights and limits", "[tenants]") {
  const auto keys = keys_of("# who\n\nsecret-one name=ann weight=2.5 requests=3 priority=0\n  secret-two\n");
  REQUIRE(keys.size() == 2);
  CHECK(keys[0].name == "ann");
  CHECK(keys[0].weight == 2.5f);
  CHECK(keys[0].requests_max == 3);
  CHECK(keys[0].priority_max == 0);
  CHECK(keys[1].name.starts_with("key "));
  CHECK(keys[1].name.size() == 4 + 12); // Of the key itself, not of its line.
  CHECK(find_key(keys, "Bearer secret-one", "") == &keys[0]);
  CHECK(find_key(keys, "", "secret-two") == &keys[1]);
  for (const auto* wrong : {"Bearer secret-on", "Bearer secret-one2", "secret-one", "Bearer ", "", "Basic secret-one"})
    CHECK(find_key(keys, wrong, "") == nullptr);
}

TEST_CASE("a key file that cannot be meant is refused with its line", "[tenants]") {
  const auto error = [](const std::string& text) {
    try {
      keys_of(text);
    } catch (const input_error& caught) {
      return std::string(caught.what());
    }
    return std::string();
  };
  CHECK(error("short") .find("line 1") != std::string::npos);
  CHECK(error("long-enough\nlong-enough") .find("line 2: this key is there twice") != std::string::npos);
  CHECK(error("long-enough weight=0") .find("line 1") != std::string::npos);
  CHECK(error("long-enough requests=many") .find("line 1") != std::string::npos);
  CHECK(error("long-enough colour=red") .find("colour=red") != std::string::npos);
  CHECK(error("# nobody\n") .find("no key") != std::string::npos);
}

TEST_CASE("a request is admitted while its first token is expected soon enough", "[admission]") {
  constexpr int64_t second = 1'000'000'000;
  admission counts({.running_max = 2, .waiting_max = 3, .waiting_bytes_max = 1000});
  CHECK(counts.ask("a", 1, 2, 10, 0).is_admitted); // Nobody waits.
  CHECK_FALSE(counts.ask("a", 1, 6, 10, 1e9).is_admitted); // Nobody waits, but it would be too many itself.
  counts.begun("a", 1, 4, 4, 20);
  CHECK(counts.ask("a", 1, 1, 10, 100).is_admitted); // It is not known yet how long it will wait.
  CHECK_FALSE(counts.ask("a", 1, 2, 10, 1e9).is_admitted); // Too many would wait.
  counts.started("a", second);
  counts.started("a", 3 * second / 2); // A first token every half second; two sequences wait.
  CHECK(counts.ask("a", 1, 1, 10, 1500).is_admitted);
  const auto refused = counts.ask("a", 1, 1, 10, 1400);
  CHECK_FALSE(refused.is_admitted);
  CHECK(refused.retry_after_ms == 100);
  CHECK_FALSE(counts.ask("a", 1, 1, 2000, 1e9).is_admitted); // Too many bytes.
  counts.ended("a", 4, 2, 20); // Those that waited gave up: that nothing waits does not mean that it goes quicker.
  CHECK(counts.ask("a", 1, 1, 10, 0).is_admitted);
  counts.begun("a", 1, 3, 3, 20);
  CHECK_FALSE(counts.ask("a", 1, 1, 10, 1900).is_admitted);
}

TEST_CASE("a tenant with few sequences waits for its share only", "[admission]") {
  constexpr int64_t second = 1'000'000'000;
  admission counts({.running_max = 10, .waiting_max = 1000, .waiting_bytes_max = 1000});
  counts.begun("many", 1, 102, 102, 0);
  counts.started("many", second);
  counts.started("many", 2 * second);
  CHECK_FALSE(counts.ask("many", 1, 1, 0, 50e3).is_admitted);
  CHECK(counts.ask("few", 1, 1, 0, 3000).is_admitted); // Every second one is its own.
  CHECK_FALSE(counts.ask("few", 1, 1, 0, 2900).is_admitted);
  CHECK(counts.ask("few", 3, 1, 0, 2000).is_admitted); // Three of four.
  counts.begun("few", 1, 4, 4, 0);
  CHECK_FALSE(counts.ask("few", 1, 1, 0, 10e3).is_admitted);
  CHECK(counts.ask("few", 1, 1, 0, 11e3).is_admitted);
}

TEST_CASE("a histogram counts values at their bounds and beyond", "[metrics]") {
  histogram times;
  times.add(0.001);
  times.add(0.0011);
  times.add(1000);
  std::string out;
  times.print(out, "t", "m=\"a\"");
  CHECK(out.find("t_bucket{m=\"a\",le=\"0.001\"} 1\n") != std::string::npos);
  CHECK(out.find("t_bucket{m=\"a\",le=\"0.002\"} 2\n") != std::string::npos);
  CHECK(out.find("t_bucket{m=\"a\",le=\"300\"} 2\n") != std::string::npos);
  CHECK(out.find("t_bucket{m=\"a\",le=\"+Inf\"} 3\n") != std::string::npos);
  CHECK(out.find("t_count{m=\"a\"} 3\n") != std::string::npos);
}

} // namespace troupe::service
