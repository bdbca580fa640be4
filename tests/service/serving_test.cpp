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

TEST_CASE("a request is admitted while it would be started at once, or soon enough", "[admission]") {
  admission counts({.running_max = 2, .waiting_max = 3, .waiting_bytes_max = 1000});
  CHECK(counts.ask(2, 10, 0).is_admitted);
  counts.begun(2, 20);
  CHECK(counts.ask(1, 10, 100).is_admitted); // It is not known yet how long it will wait.
  counts.begun(3, 30);
  CHECK_FALSE(counts.ask(1, 10, 1e9).is_admitted); // Too many wait.
  CHECK(counts.ask(1, 10, 1e9).retry_after_ms >= 10);
  counts.ended(1, 10, 1'000'000'000);
  counts.ended(1, 10, 1'500'000'000); // An end every half second.
  CHECK(counts.ask(1, 10, 2000).is_admitted);
  const auto refused = counts.ask(1, 10, 400);
  CHECK_FALSE(refused.is_admitted);
  CHECK(refused.retry_after_ms >= 100);
  CHECK_FALSE(counts.ask(1, 2000, 1e9).is_admitted); // Too many bytes.
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
