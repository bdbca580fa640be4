// Goal: who may speak to a worker, and what those can do who may not.
#include "apps/running_worker.hpp"
#include "model/error.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"

#include <arpa/inet.h>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <netinet/in.h>
#include <random>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace troupe {
namespace {

using namespace std::chrono_literals;
using testing::keys_folder;
using testing::running_worker;
using testing::at_port;
using testing::one_thread;

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
    engine runs{file, one_thread(), at_port(worker.port, keys.path)};
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
  auto cluster = at_port(worker.port, keys.path);
  cluster.start_max = 2s;
  const auto file = open_model(testing::write_tiny_model({}));
  CHECK_THROWS_AS(engine(file, one_thread(), cluster), engine_error);
  CHECK(!worker.process.end());
}

TEST_CASE("a model whose file is written anew is computed as it is by then, by a worker that has computed it before", "[cluster]") {
  keys_folder keys({"coordinator", "node"});
  const auto path = keys.path / "model.gguf";
  running_worker worker(keys.path);
  for (const uint64_t seed : {1, 2}) {
    // In place: whoever has the file open sees the new bytes.
    std::ofstream(path, std::ios::binary) << testing::tiny_model_bytes({.seed = seed});
    const auto file = open_model(path);
    engine alone{file, one_thread()};
    engine runs{file, one_thread(), at_port(worker.port, keys.path)};
    CHECK(generate(runs) == generate(alone));
  }
}

TEST_CASE("whoever has keys of another authority gets nothing from a worker", "[cluster]") {
  const auto file = open_model(testing::write_tiny_model({}));
  keys_folder keys({"coordinator", "node"}), others({"coordinator", "node"});
  running_worker worker(keys.path);
  CHECK_THROWS_WITH(engine(file, one_thread(), at_port(worker.port, others.path)), ContainsSubstring("no worker can be had"));
  engine runs{file, one_thread(), at_port(worker.port, keys.path)};
  CHECK(generate(runs).size() == 40);
}

TEST_CASE("bytes that are no link, and connections without any, disturb nobody and cost a worker little", "[cluster]") {
  const auto file = open_model(testing::write_tiny_model({}));
  keys_folder keys({"coordinator", "node"});
  running_worker worker(keys.path);
  engine runs{file, one_thread(), at_port(worker.port, keys.path)};
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
