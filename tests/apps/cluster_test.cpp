// Goal: `troupe cluster` makes what nodes need, says so, and refuses what is not acceptable.
#include "actors/cluster/keys.hpp"
#include "apps/process.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"
#include <filesystem>
#include <nlohmann/json.hpp>

using namespace troupe;
using namespace troupe::testing;

TEST_CASE("troupe cluster keys makes keys that are usable, and names every file") {
  const auto folder = temporary_path();
  const auto first = run_troupe({"cluster", "keys", folder.string(), "boss", "worker1"});
  CHECK(first.exit_code == 0);
  std::string expected; // File by file, in this order.
  for (const char* file : {"authority.key", "authority.crt", "boss.key", "boss.crt", "worker1.key", "worker1.crt"}) {
    const auto at = first.out.find((folder / file).string() + "  ", expected.size());
    CHECK(at != std::string::npos);
    expected = first.out.substr(0, at);
  }
  CHECK_THAT(first.err, ContainsSubstring("a node needs NODE.key, NODE.crt and authority.crt"));
  CHECK_THAT(first.err, ContainsSubstring("authority.key stays here"));
  CHECK_NOTHROW(require_usable(keys_in(folder, "boss")));
  CHECK_NOTHROW(require_usable(keys_in(folder, "worker1")));
}

TEST_CASE("troupe cluster keys renews for as many days as it is told, and only when it is told") {
  const auto folder = temporary_path();
  const std::vector<std::string> command{"cluster", "keys", folder.string(), "worker1"};
  REQUIRE(run_troupe(command).exit_code == 0);
  const auto again = run_troupe(command);
  CHECK(again.exit_code == 3);
  CHECK(again.out.empty());
  CHECK_THAT(again.err, ContainsSubstring((folder / "worker1.key").string() + ": exists already"));
  CHECK_THAT(again.err, ContainsSubstring("--renew"));

  const auto renewed = run_troupe({"cluster", "keys", folder.string(), "worker1", "--renew", "--days", "2", "--json"});
  CHECK(renewed.exit_code == 0);
  const auto files = nlohmann::json::parse(renewed.out);
  REQUIRE(files.size() == 1);
  CHECK(files[0]["file"].get<std::string>() == (folder / "worker1.crt").string());
  const std::string time = files[0]["valid_until"].get<std::string>();
  CHECK(time.size() == std::string("2027-03-01T12:30:00Z").size());
  const auto left = valid_until(folder / "worker1.crt") - std::chrono::system_clock::now();
  CHECK(left <= std::chrono::hours(48));
  CHECK(left > std::chrono::hours(47));
}

TEST_CASE("troupe cluster refuses wrong usage, and makes nothing then") {
  const auto folder = temporary_path();
  const std::vector<std::vector<std::string>> wrong{
    {"cluster"},
    {"cluster", "dance"},
    {"cluster", "keys"},
    {"cluster", "keys", folder.string()},
    {"cluster", "keys", folder.string(), "../worker1"},
    {"cluster", "keys", folder.string(), "authority"},
    {"cluster", "keys", folder.string(), "worker1", "--days", "0"},
    {"cluster", "keys", folder.string(), "worker1", "--days", "3651"},
  };
  for (const auto& arguments : wrong) {
    const auto refused = run_troupe(arguments);
    INFO(refused.err);
    CHECK(refused.exit_code == 2);
    CHECK(refused.out.empty());
    CHECK_THAT(refused.err, ContainsSubstring("\nSee: troupe cluster"));
  }
  CHECK_THAT(run_troupe(wrong[3]).err, ContainsSubstring("\nSee: troupe cluster keys --help"));
  CHECK_FALSE(std::filesystem::exists(folder));
}

TEST_CASE("troupe cluster keys has examples in its help") {
  CHECK_THAT(run_troupe({"cluster", "--help"}).out, ContainsSubstring("\n  keys "));
  CHECK_THAT(run_troupe({"cluster", "keys", "--help"}).out, ContainsSubstring("Examples:\n  troupe cluster keys "));
}
