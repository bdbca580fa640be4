// Goal: who may speak to a worker, and what those can do who may not.
#include "actors/cluster/keys.hpp"
#include "actors/cluster/worker_process.hpp"
#include "actors/engine.hpp"
#include "model/error.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"

#include <arpa/inet.h>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <optional>
#include <random>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace troupe {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// A folder with keys, which goes with this object.
struct keys_folder {
  std::filesystem::path path;
  keys_folder(const std::vector<std::string>& nodes, const make_keys_options& options = {}) {
    std::string name = (std::filesystem::temp_directory_path() / "troupe-test-keys-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()));
    path = name;
    make_keys(path, nodes, options);
  }
  ~keys_folder() { std::filesystem::remove_all(path); }
};

/// A worker in a process of its own, and where it listens.
struct running_worker {
  worker_process process;
  uint16_t port = 0;
  explicit running_worker(const std::filesystem::path& keys, const std::vector<std::string>& more = {})
      : process(TROUPE_PROGRAM, arguments(keys, more)) {
    for (const auto end = clock::now() + 20s; port == 0 && clock::now() < end; std::this_thread::sleep_for(5ms))
      if (const auto said = process.port()) port = *said;
    REQUIRE(port > 0);
  }
  static std::vector<std::string> arguments(const std::filesystem::path& keys, const std::vector<std::string>& more) {
    std::vector<std::string> all{"worker", "--listen", "127.0.0.1:0", "--name", "node", "--keys", keys.string(), "--quiet", "--until-end-of-input"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
};

engine_options using_node(const running_worker& worker, const std::filesystem::path& keys) {
  engine_options options;
  options.threads = 1;
  options.cluster.nodes = {{"node", "127.0.0.1", worker.port}};
  options.cluster.keys = keys;
  options.cluster.start_max = 20s;
  return options;
}

std::vector<uint32_t> generate(engine& runs) {
  auto client = runs.connect();
  client.submit({.prompt = {5, 6, 7}, .tokens_max = 40, .ignore_end_of_generation = true});
  std::vector<uint32_t> tokens;
  while (const auto event = client.next()) {
    if (event->kind == event_kind::token) tokens.push_back(event->token);
    else if (event->kind == event_kind::finished) CHECK(event->error.empty());
  }
  return tokens;
}

/// A connection to a port of this machine.
class connection {
public:
  explicit connection(uint16_t port) : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_open_ = connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  }
  connection(connection&& other) noexcept : socket_(std::exchange(other.socket_, -1)), is_open_(other.is_open_) {}
  ~connection() {
    if (socket_ >= 0) close(socket_);
  }
  bool is_open() const { return is_open_; }
  void send(const std::string& bytes) { (void) ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }

private:
  int socket_;
  bool is_open_;
};

uint64_t resident_bytes(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/statm");
  uint64_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * uint64_t(sysconf(_SC_PAGESIZE));
}

} // namespace

TEST_CASE("a worker that somebody else has started computes for an engine, and for the next one, with the same bits", "[cluster]") {
  const auto file = open_model(testing::write_tiny_model({}));
  keys_folder keys({"coordinator", "node"});
  running_worker worker(keys.path);
  engine alone{file, {.threads = 1}};
  const auto expected = generate(alone);
  REQUIRE(expected.size() == 40);
  for (int i = 0; i < 2; ++i) {
    engine runs{file, using_node(worker, keys.path)};
    CHECK(generate(runs) == expected);
    CHECK(runs.workers().at(0).process == uint64_t(worker.process.id()));
    CHECK(runs.workers().at(0).times_lost == 0);
  }
  CHECK(!worker.process.end());
}

TEST_CASE("a worker refuses the layers of a model that its file is not", "[cluster]") {
  keys_folder keys({"coordinator", "node"});
  const auto other = testing::write_tiny_model({.seed = 2});
  running_worker worker(keys.path, {"--model", other.string()});
  auto options = using_node(worker, keys.path);
  options.cluster.start_max = 2s;
  const auto file = open_model(testing::write_tiny_model({}));
  CHECK_THROWS_AS(engine(file, options), engine_error);
  CHECK(!worker.process.end());
}

TEST_CASE("whoever has keys of another authority gets nothing from a worker", "[cluster]") {
  const auto file = open_model(testing::write_tiny_model({}));
  keys_folder keys({"coordinator", "node"}), others({"coordinator", "node"});
  running_worker worker(keys.path);
  CHECK_THROWS_WITH(engine(file, using_node(worker, others.path)), ContainsSubstring("no worker can be had"));
  engine runs{file, using_node(worker, keys.path)};
  CHECK(generate(runs).size() == 40);
}

TEST_CASE("bytes that are no link, and connections without any, disturb nobody and cost a worker little", "[cluster]") {
  const auto file = open_model(testing::write_tiny_model({}));
  keys_folder keys({"coordinator", "node"});
  running_worker worker(keys.path);
  engine runs{file, using_node(worker, keys.path)};
  const auto expected = generate(runs);
  const auto before = resident_bytes(worker.process.id());
  const char* wanted = std::getenv("TROUPE_HOSTILE_STREAMS"); // 20000 for a long run.
  const int streams = wanted ? std::atoi(wanted) : 1000;
  std::vector<connection> idle;
  for (int i = 0; i < std::min(streams, 1000) / 5; ++i) idle.emplace_back(worker.port);
  std::mt19937 random(1);
  for (int i = 0; i < streams; ++i) {
    std::string bytes(1 + random() % 200, '\0');
    for (char& one : bytes) one = char(random());
    switch (i % 4) {
    case 0: bytes = std::string("\x16\x03\x01", 3) + bytes; break; // As the beginning of a TLS handshake;
    case 1: bytes = "GET / HTTP/1.1\r\n\r\n" + bytes; break;
    case 2: bytes = std::string(32, '\0') + bytes; break; // as a header of CAF's protocol.
    default: break;
    }
    connection one(worker.port);
    REQUIRE(one.is_open());
    one.send(bytes);
    if (i % 100 == 0) CHECK(generate(runs) == expected);
  }
  CHECK(generate(runs) == expected);
  CHECK(!worker.process.end());
  CHECK(runs.workers().at(0).times_lost == 0);
  idle.clear();
  const auto after = resident_bytes(worker.process.id());
  INFO("before " << before << ", after " << after);
  CHECK(after < before + (64 << 20));
}

} // namespace troupe
