// Goal: what the dashboard's page is made of, who may watch, and what watchers are told.
#include "apps/service/dashboard/actor_changes.hpp"
#include "apps/service/dashboard/page.hpp"
#include "apps/service/service.hpp"
#include "model/formats/json.hpp"
#include "raw_client.hpp"
#include "support/catch.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <unistd.h>

namespace troupe::service {
namespace {

using nlohmann::json;
using testing::raw_client;
using namespace std::chrono_literals;
using kind = supervisor_decision::kind;

/// By a name of this machine, as is needed without keys.
std::string get(const std::string& path, const std::string& headers = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n";
}

std::string post(const std::string& path, const std::string& body, const std::string& headers = "") {
  const std::string length = "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\n" + length + headers + "\r\n" + body;
}

class key_file {
public:
  explicit key_file(const std::string& key) : path(std::filesystem::temp_directory_path() / ("troupe_" + key + std::to_string(getpid()))) {
    std::ofstream(path) << key << "\n";
  }
  ~key_file() { std::filesystem::remove(path); }
  const std::filesystem::path path;
};

/// Serves the storyteller in a thread of its own.
class running_service {
public:
  explicit running_service(service_options options = {})
    : service_(with_port(std::move(options)), models()), thread_([this] { result_ = service_.run(); }) {}
  ~running_service() {
    service_.stop();
    if (thread_.joinable()) thread_.join();
  }
  raw_client connect() const { return raw_client(uint16_t(std::stoi(service_.address().substr(service_.address().rfind(':') + 1)))); }
  testing::answer ask(const std::string& request, bool head = false) const {
    auto client = connect();
    REQUIRE(client.send(request));
    return client.read_answer(10s, head);
  }
  /// run()'s result.
  int join() {
    thread_.join();
    return result_;
  }
  double metric(const std::string& name) const {
    const auto page = ask(get("/metrics")).body;
    const auto at = page.find("\n" + name + " ");
    REQUIRE(at != std::string::npos);
    return std::stod(page.substr(at + name.size() + 2));
  }

private:
  static service_options with_port(service_options options) {
    options.http.port = 0;
    return options;
  }
  static std::vector<model_to_serve> models() {
    std::vector<model_to_serve> all;
    const auto file = open_model(TROUPE_SOURCE_DIR "/apps/storyteller/storyteller.gguf");
    all.push_back({"storyteller", std::make_unique<engine>(file, engine_options{.threads = 2})});
    return all;
  }
  service service_;
  int result_ = 0;
  std::thread thread_;
};

/// Reads GET /dashboard/events.
class watcher {
public:
  explicit watcher(const running_service& of, const std::string& headers = "") : client(of.connect()) {
    REQUIRE(client.send(get("/dashboard/events", headers)));
  }
  /// The data of the next event of this name; null if none comes in time.
  json next(const std::string& name, std::chrono::milliseconds timeout = 10s) {
    const std::string begin = "event: " + name + "\ndata: ";
    const auto end = std::chrono::steady_clock::now() + timeout;
    for (;;) {
      const auto at = received.find(begin, read), stop = at == std::string::npos ? at : received.find("\n\n", at);
      if (stop != std::string::npos) {
        read = stop;
        return json::parse(received.substr(at + begin.size(), stop - at - begin.size()));
      }
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
      if (left < 0ms || client.receive(received, left) != raw_client::outcome::bytes) return nullptr;
    }
  }
  raw_client client;
  std::string received;

private:
  size_t read = 0;
};

supervision_facts facts(std::vector<actor_facts> actors, std::vector<supervisor_decision> decisions = {}, uint64_t total = 0) {
  return {std::move(actors), std::move(decisions), total};
}

std::vector<std::string> paths(const std::vector<actor_facts>& actors) {
  std::vector<std::string> all;
  for (const auto& one : actors) all.push_back(one.path);
  return all;
}

using strings = std::vector<std::string>;

} // namespace

TEST_CASE("changes are the actors that came, were replaced or went", "[dashboard]") {
  const auto before = facts({{"/a", 0, "x", 1}, {"/b", 0, "x", 2}, {"/c", 3, "x", 3}});
  const auto now = facts({{"/a", 0, "x", 1}, {"/b", 0, "x", 7}, {"/d", 0, "x", 8}});
  const auto changes = changes_between(before, now);
  CHECK(paths(changes.started) == strings{"/b", "/d"}); // /b has another id, though it counts no restart: its supervisor is a new one.
  CHECK(changes.gone == strings{"/c"});
  const auto none = changes_between(now, now);
  CHECK(none.started.empty());
  CHECK(none.gone.empty());
}

TEST_CASE("each recovery is told once, also when the directory is a new one or has forgotten some", "[dashboard]") {
  const auto children = [](const supervision_facts& before, const supervision_facts& now) {
    strings all;
    for (const auto& one : changes_between(before, now).recoveries) all.push_back(one.child);
    return all;
  };
  const supervisor_decision a{"/a", "kill", kind::restart}, b{"/b", "error", kind::escalate}, done{"/c", "normal", kind::stop};
  CHECK(children(facts({}, {a}, 1), facts({}, {a, b, done}, 3)) == strings{"/b"});
  CHECK(children(facts({}, {a}, 1), facts({}, {a}, 1)).empty());
  CHECK(children(facts({}, {a}, 9), facts({}, {b}, 1)) == strings{"/b"});        // A new directory.
  CHECK(children(facts({}, {a}, 1), facts({}, {a, b}, 300)) == strings{"/a", "/b"}); // It keeps two of the 299.
}

TEST_CASE("the page refers to its own files only, and all of them are served", "[dashboard]") {
  std::set<std::string> known, wanted{"/"};
  const std::regex own(R"re((?:href|src)="(/[^"]*)"|from "\./([^"]+)")re"), foreign(R"(https?://|url\(|@import|\bimport\()");
  for (const auto& file : page_files()) {
    known.insert(std::string(file.path));
    const std::string body(file.body);
    if (!file.path.ends_with(".svg")) CHECK_FALSE(std::regex_search(body, foreign));
    CHECK(body.find(" style=\"") == std::string::npos); // The policy would not let it count.
    for (std::sregex_iterator it(body.begin(), body.end(), own), end; it != end; ++it)
      wanted.insert((*it)[1].matched ? (*it)[1].str() : "/dashboard/" + (*it)[2].str());
  }
  CHECK(known.size() > 5);
  CHECK(wanted == known);
}

TEST_CASE("the page comes by GET and HEAD with headers that let it load nothing from elsewhere", "[dashboard]") {
  const running_service serves;
  for (const auto& file : page_files()) {
    const auto got = serves.ask(get(std::string(file.path)));
    INFO(file.path);
    CHECK(got.status == 200);
    CHECK(got.body == file.body);
    CHECK(got.headers.at("content-type") == file.content_type);
    CHECK(got.headers.at("x-content-type-options") == "nosniff");
    const auto policy = got.headers.at("content-security-policy");
    CHECK_THAT(policy, ContainsSubstring("default-src 'none'") && ContainsSubstring("frame-ancestors 'none'"));
    CHECK(policy.find("unsafe") == std::string::npos);
  }
  const auto head = serves.ask("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n", true);
  CHECK(head.status == 200);
  CHECK(head.headers.at("content-length") == std::to_string(find_page_file("/")->body.size()));
  const auto posted = serves.ask(post("/", "{}"));
  CHECK(posted.status == 405);
  CHECK_THAT(posted.headers.at("allow"), ContainsSubstring("GET"));
  CHECK(serves.ask("HEAD /dashboard/events HTTP/1.1\r\nHost: localhost\r\n\r\n", true).status == 405);
  CHECK(serves.ask(get("/dashboard/nothing.js")).status == 404);
  CHECK(serves.ask("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n").status == 403); // A name that leads here.
}

TEST_CASE("with keys, whoever has one of either kind may watch; to kill takes an administrator's", "[dashboard]") {
  const key_file apis("key-of-a-client"), admins("key-of-an-admin");
  service_options options;
  options.api_key_file = apis.path;
  options.admin_key_file = admins.path;
  const running_service serves(std::move(options));
  CHECK(serves.ask(get("/")).status == 200); // There is no secret in it.
  CHECK(serves.ask(get("/dashboard/events")).status == 401);
  CHECK(serves.ask(get("/dashboard/events", "Authorization: Bearer wrong-key\r\n")).status == 401);
  for (const std::string key : {"key-of-a-client", "key-of-an-admin"}) {
    const std::string headers = "Authorization: Bearer " + key + "\r\n";
    watcher watches(serves, headers);
    CHECK(watches.next("snapshot")["administration"] == true);
    CHECK(serves.ask(post("/admin/kill", R"({"path": "/scheduler"})", headers)).status == (key == "key-of-an-admin" ? 202 : 401));
  }
}

TEST_CASE("a watcher gets all actors first, then what changes: a replacement, why, and tokens", "[dashboard]") {
  const key_file admins("key-of-an-admin");
  service_options options;
  options.admin_key_file = admins.path;
  const running_service serves(std::move(options));
  watcher first(serves), second(serves);
  const auto snapshot = first.next("snapshot");
  REQUIRE(snapshot["models"].size() == 1);
  const auto& model = snapshot["models"][0];
  CHECK(model["name"] == "storyteller");
  CHECK(model["prompt"] == "text");
  CHECK(model["threads"] == 2);
  CHECK(model["actors"].size() == 53);
  const std::string path = "/replica/0/layer/2/head/1";
  const auto id_in = [&](const json& rows) -> uint64_t {
    for (const auto& row : rows)
      if (row[0] == path) return row[3];
    return 0;
  };
  const auto id = id_in(model["actors"]);
  CHECK(id > 0);
  CHECK(first.next("change")["models"][0]["started"].empty());
  REQUIRE(serves.ask(post("/admin/kill", json{{"path", path}}.dump(), "Authorization: Bearer key-of-an-admin\r\n")).status == 202);
  second.next("snapshot");
  for (auto* one : {&first, &second}) {
    uint64_t now = 0;
    std::string reason;
    for (int i = 0; i < 10 && (now == 0 || reason.empty()); ++i) {
      const auto change = one->next("change")["models"][0];
      now = std::max(now, id_in(change["started"]));
      for (const auto& recovery : change["recoveries"])
        if (recovery["path"] == path) reason = recovery["reason"];
    }
    CHECK(now > 0);
    CHECK(now != id);
    CHECK_THAT(reason, ContainsSubstring("kill"));
  }
  const uint64_t before = first.next("change")["models"][0]["numbers"]["tokens"];
  const std::string asked = R"({"prompt": "Once", "max_tokens": 400, "ignore_eos": true, "n": 8})";
  REQUIRE(serves.ask(post("/v1/completions", asked)).status == 200);
  double busiest = 0;
  uint64_t after = before;
  for (int i = 0; i < 6 && (after < before + 3200 || busiest == 0); ++i) {
    const auto change = first.next("change")["models"][0];
    after = change["numbers"]["tokens"];
    for (const auto& share : change["load"]) busiest = std::max(busiest, share.get<double>());
  }
  CHECK(after == before + 3200);
  CHECK(busiest > 0);
  CHECK(busiest <= 1);
}

TEST_CASE("nothing is asked of the engines while nobody watches", "[dashboard]") {
  const running_service serves;
  const std::string looks = "troupe_dashboard_looks_total";
  CHECK(serves.metric(looks) == 0);
  {
    watcher watches(serves);
    CHECK_FALSE(watches.next("change").is_null());
  }
  std::this_thread::sleep_for(300ms); // One may be under way.
  const auto then = serves.metric(looks);
  CHECK(then >= 2);
  std::this_thread::sleep_for(1300ms);
  CHECK(serves.metric(looks) == then);
  watcher back(serves); // Somebody looks again, and gets all of it.
  CHECK(back.next("snapshot")["models"][0]["actors"].size() == 53);
}

TEST_CASE("a service that is stopped ends the streams of watchers, and does not wait for them", "[dashboard]") {
  running_service serves;
  watcher watches(serves);
  REQUIRE_FALSE(watches.next("snapshot").is_null());
  const auto begin = std::chrono::steady_clock::now();
  ::kill(::getpid(), SIGTERM);
  CHECK(serves.join() == SIGTERM);
  CHECK(std::chrono::steady_clock::now() - begin < 3s);
  while (watches.client.receive(watches.received, 1s) == raw_client::outcome::bytes) {}
  CHECK(watches.received.ends_with("\r\n0\r\n\r\n")); // Complete: a client can tell that from a connection that broke.
}

TEST_CASE("watchers are told the loss of a training run: all of it first, then what is new", "[dashboard]") {
  const auto folder = std::filesystem::temp_directory_path() / ("troupe_watched_run_" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const auto add = [&](const std::string& line) { std::ofstream(folder / "metrics.jsonl", std::ios::app) << line << "\n"; };
  add(R"({"update":1,"loss":4.5,"accuracy":0.1,"tokens":10,"seconds":2})");
  service_options options;
  options.training_run = folder;
  {
    const running_service served(std::move(options));
    watcher first(served);
    const auto all = first.next("snapshot")["training"];
    CHECK(all["name"] == folder.filename().string());
    CHECK(all["points"] == json::parse("[[1,4.5]]"));
    CHECK(all["validation"] == json::array());
    CHECK(all["tokens_per_second"] == 5);
    CHECK(!first.next("change").contains("training")); // There is no news.
    add(R"({"update":2,"loss":4,"accuracy":0.2,"tokens":10,"seconds":2})");
    add(R"({"update":2,"val_loss":4.25})");
    json news;
    for (int i = 0; i < 4 && news.is_null(); ++i)
      if (const auto change = first.next("change"); change.contains("training")) news = change["training"];
    CHECK(news["anew"] == false);
    CHECK(news["points"] == json::parse("[[2,4]]"));
    CHECK(news["validation"] == json::parse("[[2,4.25]]"));
    CHECK(news["loss"] == 4);
    watcher second(served);
    CHECK(second.next("snapshot")["training"]["points"] == json::parse("[[1,4.5],[2,4]]"));
  }
  std::filesystem::remove_all(folder);
}

} // namespace troupe::service
