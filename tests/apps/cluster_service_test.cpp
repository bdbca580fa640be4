// Goal: the workers of a running service are seen and drained from the command line, by those who may.
#include "actors/cluster/keys.hpp"
#include "apps/process.hpp"
#include "apps/troupe/cli/columns.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

using namespace troupe::testing;
using nlohmann::json;

namespace {

using namespace std::chrono_literals;

/// A `troupe serve`, where it is, and files with keys of administrators: its own, and another one.
class running_service {
public:
  explicit running_service(std::vector<std::string> more)
    : key_file(write_temporary("# who\nlet-me-drain-workers name=ann\nand-me-too-please\n")),
      other_key_file(write_temporary("let-me-in-anyway\n")), model_(write_tiny_model({.layers = 4})), process_(arguments(std::move(more))) {
    const std::string before = "troupe serves at ";
    std::string line;
    while (!line.ends_with('\n')) {
      const auto seen = line.size();
      line = process_.read_out(seen + 1);
      if (line.size() == seen) break;
    }
    INFO((line.starts_with(before) ? "" : process_.finish().err));
    REQUIRE(line.starts_with(before));
    url = line.substr(before.size(), line.size() - before.size() - 1);
  }
  outcome finish() {
    process_.signal(SIGTERM);
    return process_.finish();
  }

  /// troupe cluster ...; with this service's address and key.
  outcome cluster(std::vector<std::string> words) const {
    words.insert(words.begin(), "cluster");
    words.insert(words.end(), {"--url", url, "--admin-key-file", key_file});
    return run_troupe(words);
  }
  /// What status says of a worker.
  json worker(const std::string& name) const {
    const auto status = cluster({"status", "--json"});
    INFO(status.err);
    REQUIRE(status.exit_code == 0);
    for (const auto& one : json::parse(status.out))
      if (one.at("name") == name) return one;
    return {};
  }
  bool layers_become(const std::string& name, const std::string& layers) const {
    for (const auto end = std::chrono::steady_clock::now() + 20s; std::chrono::steady_clock::now() < end; std::this_thread::sleep_for(20ms))
      if (worker(name).at("layers") == layers) return true;
    return false;
  }

  std::string url, key_file, other_key_file;

private:
  std::vector<std::string> arguments(std::vector<std::string> more) const {
    std::vector<std::string> all{"serve", "-m", "tiny=" + model_, "--port", "0", "--threads", "2", "--admin-key-file", key_file, "--quiet"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  std::string model_;
  troupe_process process_;
};

} // namespace

TEST_CASE("the workers of a service are shown, drained and used again", "[cluster]") {
  running_service service({"--workers", "2", "--spares", "1"});
  const auto status = service.cluster({"status", "--json"});
  INFO(status.out << status.err);
  REQUIRE(status.exit_code == 0);
  CHECK(status.err.empty());
  const auto workers = json::parse(status.out);
  REQUIRE(workers.size() == 3);
  std::map<std::string, std::string> names; // By layers. Who was ready last is the spare.
  for (size_t i = 0; i < 3; ++i) {
    const auto& one = workers[i];
    names[one.at("layers")] = one.at("name");
    CHECK(one.at("model") == "tiny");
    CHECK(one.at("name") == "local-" + std::to_string(i));
    CHECK(one.at("state") == "ready");
    CHECK(one.at("spare") == (one.at("layers") == ""));
    CHECK(one.at("threads") == 1);
    CHECK(kill(pid_t(one.at("process")), 0) == 0);
    CHECK(one.at("times_lost") == 0);
    CHECK(one.at("reason") == "");
  }
  REQUIRE(names.size() == 3);
  const auto first = names["0-1"], second = names["2-3"], spare = names[""];
  REQUIRE(!first.empty());
  REQUIRE(!second.empty());
  const auto table = service.cluster({"status"});
  INFO(table.out);
  CHECK(table.exit_code == 0);
  CHECK(table.out.starts_with("model  worker   state  layers  threads  "));
  CHECK_THAT(table.out, ContainsSubstring("\ntiny   " + second + "  ready  2-3           1  "));
  CHECK_THAT(table.out, ContainsSubstring("\ntiny   " + spare + "  ready  spare         1  "));

  const auto drained = service.cluster({"drain", first});
  INFO(drained.err);
  CHECK(drained.exit_code == 0);
  CHECK(drained.out == "tiny: " + first + " gets no layers any more\n");
  CHECK(drained.err.empty());
  CHECK(service.layers_become(first, ""));
  CHECK(service.worker(first).at("state") == "draining");
  CHECK(service.layers_become(spare, "0-1"));
  CHECK(service.cluster({"drain", second, "--model", "tiny"}).exit_code == 0);
  CHECK(service.layers_become(spare, "0-1, 2-3"));
  const auto last = service.cluster({"drain", spare});
  CHECK(last.exit_code == 0);
  CHECK_THAT(last.err, ContainsSubstring("no other worker can take the layers 0-1, 2-3 at present: " + spare + " computes them"));
  const auto undone = service.cluster({"drain", second, "--undo"});
  CHECK(undone.exit_code == 0);
  CHECK(undone.out == "tiny: " + second + " may compute again\n");
  CHECK(service.layers_become(second, "0-1, 2-3"));
  CHECK(service.worker(second).at("state") == "ready");
  CHECK(service.finish().exit_code == 143);
}

TEST_CASE("who may not administer, and what is not there, is one error that says so", "[cluster]") {
  running_service service({"--workers", "1"});
  const auto refused = run_troupe({"cluster", "status", "--url", service.url, "--admin-key-file", service.other_key_file});
  CHECK(refused.exit_code == 3);
  CHECK(refused.out.empty());
  CHECK_THAT(refused.err, ContainsSubstring(service.other_key_file + ": the first key in it is none of an administrator of "));
  const auto unknown = service.cluster({"drain", "local-7"});
  CHECK(unknown.exit_code == 1);
  CHECK(unknown.out.empty());
  CHECK_THAT(unknown.err, ContainsSubstring("there is no worker \"local-7\"; there are: local-0\n"));
  CHECK_THAT(service.cluster({"drain", "local-0", "--model", "other"}).err, ContainsSubstring("there is no model \"other\" with workers"));
  CHECK(service.cluster({"drain", "local-0", "--model", "other"}).exit_code == 1);
  CHECK(service.worker("local-0").at("state") == "ready");
  service.finish();
  const auto gone = service.cluster({"status"});
  CHECK(gone.exit_code == 1);
  CHECK_THAT(gone.err, ContainsSubstring("no server at " + service.url + ": "));
  CHECK(run_troupe({"cluster", "status", "--admin-key-file", temporary_path()}).exit_code == 3);
  CHECK(run_troupe({"cluster", "status"}).exit_code == 2);
  CHECK(run_troupe({"cluster", "status", "--url", "nowhere", "--admin-key-file", service.key_file}).exit_code == 2);
}

TEST_CASE("a service whose layers are in its own process says that it has no workers, also over TLS", "[cluster]") {
  const auto keys = temporary_folder();
  const std::string nodes[] = {"localhost"};
  troupe::make_keys(keys, nodes);
  running_service service({"--host", "localhost", "--tls-certificate", keys / "localhost.crt", "--tls-key", keys / "localhost.key"});
  REQUIRE(service.url.starts_with("https://"));
  service.url = "https://localhost" + service.url.substr(service.url.rfind(':'));
  const auto trusted = service.cluster({"status", "--ca", keys / "authority.crt"});
  INFO(trusted.err);
  CHECK(trusted.exit_code == 1);
  CHECK_THAT(trusted.err, ContainsSubstring(service.url + " has no workers"));
  const auto untrusted = service.cluster({"status"});
  CHECK(untrusted.exit_code == 1);
  CHECK_THAT(untrusted.err, ContainsSubstring("no connection that can be trusted to " + service.url + ": "));
  service.url = "https://127.0.0.1" + service.url.substr(service.url.rfind(':')); // The certificate is for a name.
  const auto other = service.cluster({"status", "--ca", keys / "authority.crt"});
  CHECK(other.exit_code == 1);
  CHECK_THAT(other.err, ContainsSubstring("no connection that can be trusted") && ContainsSubstring("address mismatch"));
  const auto no_file = service.cluster({"status", "--ca", keys / "localhost.key"});
  CHECK(no_file.exit_code == 3);
  CHECK_THAT(no_file.err, ContainsSubstring("localhost.key: no certificates in PEM format"));
}

TEST_CASE("a table lines up, whatever its cells say", "[cluster]") {
  CHECK(troupe::table_text({{"name"}, {"n", true}, {"why"}}, {{"a", "1000", ""}, {"日本", "1", "late"}}) == "name     n  why\n"
                                                                                                          "a     1000\n"
                                                                                                          "日本     1  late\n");
  CHECK(troupe::without_controls("a\x1b[31m\n\xc2\x9b\xff é") == "a?[31m??? é");
}
