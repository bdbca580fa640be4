#include "raw_client.hpp"
#include "support/catch.hpp"
#include <fcntl.h>
#include <fstream>
#include <sys/resource.h>
#include <unistd.h>

using namespace troupe;
using namespace troupe::testing;

namespace {

using clock = std::chrono::steady_clock;

std::vector<raw_client> connect_many(const running_server& server, size_t count) {
  std::vector<raw_client> clients;
  for (size_t i = 0; i < count; ++i) clients.push_back(server.connect());
  return clients;
}

/// How long one request takes on a new connection.
milliseconds time_of_request(const running_server& server) {
  const auto begin = clock::now();
  auto client = server.connect();
  REQUIRE(client.send(get("/")));
  REQUIRE(client.read_answer().status == 200);
  return std::chrono::duration_cast<milliseconds>(clock::now() - begin);
}

} // namespace

TEST_CASE("a header that is too large is refused, and one that just fits is not") {
  running_server server(echo);
  const auto status_for = [&](const std::string& headers) {
    auto client = server.connect();
    CHECK(client.send(get("/", headers)));
    const answer got = client.read_answer();
    if (got.status != 200) CHECK(client.ended_within(3s));
    return got.status;
  };
  const size_t rest = get("/", "a: \r\n").size();
  CHECK(status_for("a: " + std::string((16 << 10) - rest, 'x') + "\r\n") == 200);
  CHECK(status_for("a: " + std::string((16 << 10) - rest + 1, 'x') + "\r\n") == 431);
  CHECK(status_for("a: " + std::string(1 << 20, 'x') + "\r\n") == 431);
  std::string many;
  for (int i = 0; i < 99; ++i) many += "a: b\r\n"; // And Host.
  CHECK(status_for(many) == 200);
  CHECK(status_for(many + "a: b\r\n") == 431);
}

TEST_CASE("a header without an end is refused at the limit and not collected") {
  running_server server(echo);
  auto client = server.connect();
  REQUIRE(client.send("GET / HTTP/1.1\r\n"));
  for (int i = 0; i < 1000; ++i) {
    if (!client.send("aaaaaaaaaaaaaaaa: bbbbbbbbbbbbbbbbbbbb\r\n")) break;
  }
  CHECK(client.read_answer().status == 431);
}

TEST_CASE("a body of 100 MB is refused before it is read, without memory for it, and the client can read why") {
  auto options = running_server::quick_options();
  options.closing_time = 20s; // The machine may be slow.
  running_server server(echo, options);
  const std::string piece(1 << 20, 'x');
  const size_t before = resident_bytes();
  for (const bool chunked : {false, true}) {
    auto client = server.connect();
    const size_t megabytes = 100;
    REQUIRE(client.send(chunked ? "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n6400000\r\n"
                                : "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n"));
    size_t peak = 0;
    for (size_t i = 0; i < megabytes; ++i) {
      REQUIRE(client.send(piece)); // A connection that is closed at once would break here, and with some clients take the answer away.
      peak = std::max(peak, resident_bytes());
    }
    const answer got = client.read_answer();
    CHECK(got.status == 413);
    CHECK(got.complete);
    CHECK(got.headers.at("connection") == "close");
    std::string rest;
    CHECK(client.receive(rest, 3s) == byte_stream::outcome::end);
    CHECK(peak < before + (8 << 20));
  }
}

TEST_CASE("a body of the allowed size arrives, one byte more is refused, also when it comes in chunks") {
  auto options = running_server::quick_options();
  options.body_bytes_max = 100'000;
  running_server server([](const std::shared_ptr<http::exchange>& exchange) {
    exchange->respond({200, "text/plain", std::to_string(exchange->asked().body.size()), {}});
  }, options);
  const auto chunked = [](size_t bytes) {
    std::string request = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (; bytes > 0; --bytes) request += "1\r\nx\r\n";
    return request + "0\r\n\r\n";
  };
  auto client = server.connect();
  REQUIRE(client.send(post("/", std::string(100'000, 'x'))));
  CHECK(client.read_answer().body == "100000");
  REQUIRE(client.send(chunked(100'000)));
  CHECK(client.read_answer().body == "100000");
  REQUIRE(client.send(chunked(100'001)));
  CHECK(client.read_answer().status == 413);
  auto other = server.connect();
  REQUIRE(other.send(post("/", std::string(100'001, 'x'))));
  CHECK(other.read_answer().status == 413);
}

TEST_CASE("all bodies together are bounded, until they are answered or given away") {
  auto options = running_server::quick_options();
  options.bodies_bytes_max = 2'500'000;
  std::vector<std::shared_ptr<http::exchange>> waiting;
  running_server server([&](std::shared_ptr<http::exchange> exchange) { waiting.push_back(std::move(exchange)); }, options);
  auto clients = connect_many(server, 4);
  const std::string body(1'000'000, 'x');
  for (size_t i = 0; i < 2; ++i) REQUIRE(clients[i].send(post("/", body)));
  REQUIRE(server.becomes([](const auto& facts) { return facts.requests == 2 && facts.body_bytes == 2'000'000; }));
  REQUIRE(clients[2].send(post("/", body)));
  const answer refused = clients[2].read_answer();
  CHECK(refused.status == 503);
  CHECK(refused.headers.at("retry-after") == "1");
  server.in_server([&] {
    CHECK(waiting[0]->take_body() == body);
    CHECK(waiting[0]->asked().body.empty());
  });
  CHECK(server.facts().body_bytes == 1'000'000);
  REQUIRE(clients[3].send(post("/", body)));
  REQUIRE(server.becomes([](const auto& facts) { return facts.requests == 3; }));
  server.in_server([&] {
    for (const auto& one : waiting) one->respond({});
    waiting.clear();
  });
  CHECK(server.becomes([](const auto& facts) { return facts.body_bytes == 0; }));
}

TEST_CASE("five hundred clients that send their headers slowly disturb nobody, and are ended in time") {
  auto options = running_server::quick_options();
  options.header_time = 1500ms;
  running_server server(echo, options);
  auto slow = connect_many(server, 500);
  const auto begin = clock::now();
  milliseconds longest{0};
  for (auto& one : slow) one.send("GET / HTTP/1.1\r\n");
  while (clock::now() < begin + 1s) {
    for (auto& one : slow) one.send("a");
    longest = std::max(longest, time_of_request(server));
  }
  CHECK(longest < 500ms);
  REQUIRE(server.becomes([](const auto& facts) { return facts.requests_refused == 500; }));
  CHECK(clock::now() - begin < 5s);
  CHECK(slow.front().read_answer().status == 408);
  CHECK(slow.back().read_answer().status == 408);
  slow.clear();
  CHECK(server.becomes([](const auto& facts) { return facts.connections == 0; }));
}

TEST_CASE("a thousand idle connections cost little and disturb nobody, until their time is over") {
  auto options = running_server::quick_options();
  options.idle_time = 3s;
  const size_t before = resident_bytes();
  running_server server(echo, options);
  auto idle = connect_many(server, 1000);
  REQUIRE(server.becomes([](const auto& facts) { return facts.connections == 1000; }));
  CHECK(time_of_request(server) < 500ms);
  CHECK(resident_bytes() < before + (16 << 20));
  REQUIRE(idle[500].send(get("/")));
  CHECK(idle[500].read_answer().status == 200);
  CHECK(idle[0].ended_within(5s));
  CHECK(server.becomes([](const auto& facts) { return facts.connections == 0; }));
}

TEST_CASE("a body that comes too slowly is refused, one that keeps the rate is not") {
  auto options = running_server::quick_options();
  options.transfer_time = 200ms;
  options.transfer_rate_min = 10'000; // Bytes per second.
  running_server server(echo, options);
  const auto status_at = [&](size_t bytes, milliseconds pause) {
    auto client = server.connect();
    REQUIRE(client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(20 * bytes) + "\r\n\r\n"));
    for (int i = 0; i < 20; ++i) {
      if (!client.send(std::string(bytes, 'x'))) break;
      std::this_thread::sleep_for(pause);
    }
    return client.read_answer().status;
  };
  CHECK(status_at(1, 30ms) == 408);
  CHECK(status_at(2000, 30ms) == 200); // 600 ms in all.
}

TEST_CASE("a connection too many is told so while all are busy, and takes the place of one that is idle") {
  auto options = running_server::quick_options();
  options.connections_max = 8;
  std::vector<std::shared_ptr<http::exchange>> waiting;
  running_server server([&](std::shared_ptr<http::exchange> exchange) { waiting.push_back(std::move(exchange)); }, options);
  auto busy = connect_many(server, 8);
  for (auto& one : busy) REQUIRE(one.send(get("/")));
  REQUIRE(server.becomes([](const auto& facts) { return facts.requests == 8; }));
  auto refused = server.connect();
  refused.send(get("/"));
  const answer got = refused.read_answer();
  CHECK(got.status == 503);
  CHECK(got.headers.count("x-request-id") == 1);
  CHECK(refused.ended_within(3s));
  // Many at once: nobody hangs.
  auto crowd = connect_many(server, 200);
  for (auto& one : crowd) CHECK(one.ended_within(5s));
  CHECK(server.facts().connections_refused == 201);
  server.in_server([&] {
    for (const auto& one : waiting) one->respond({});
    waiting.clear();
  });
  for (auto& one : busy) CHECK(one.read_answer().status == 200);
  std::this_thread::sleep_for(1100ms);
  auto next = server.connect();
  REQUIRE(next.send(get("/")));
  REQUIRE(server.becomes([](const auto& facts) { return facts.requests == 9; }));
  CHECK(server.facts().connections_evicted == 1);
  server.in_server([&] { waiting.clear(); });
}

TEST_CASE("without descriptors accepting pauses, and goes on when there are some again") {
  running_server server(echo);
  std::vector<raw_client> clients;
  for (int i = 0; i < 12; ++i) clients.emplace_back(raw_client::unconnected{});
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const int next = ::fcntl(0, F_DUPFD_CLOEXEC, 0);
  ::close(next);
  const rlimit few{static_cast<rlim_t>(next + 3), before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &few);
  for (auto& one : clients) {
    CHECK(one.connect(server.port()));
    CHECK(one.send(get("/", "Connection: close\r\n")));
  }
  std::this_thread::sleep_for(350ms);
  const auto pauses = server.facts().accept_failures;
  for (auto& one : clients) {
    CHECK(one.read_answer().status == 200);
    one.close();
  }
  const auto facts = server.facts();
  ::setrlimit(RLIMIT_NOFILE, &before);
  CHECK(pauses > 0);
  CHECK(pauses < 10);
  CHECK(facts.requests == 12);
}

TEST_CASE("no descriptor of the server is passed on to a program that is started") {
  running_server server(echo);
  auto client = server.connect();
  REQUIRE(client.send(get("/")));
  REQUIRE(client.read_answer().status == 200);
  // Descriptors that the test itself was given are below.
  const int first = ::fcntl(client.descriptor(), F_GETFD) >= 0 ? 3 : 0;
  size_t sockets = 0;
  for (int fd = first; fd < 200; ++fd) {
    char target[64] = {};
    if (::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), target, sizeof target - 1) < 0) continue;
    const std::string kind = target;
    if (kind.find("socket:") == std::string::npos && kind.find("anon_inode:") == std::string::npos) continue;
    ++sockets;
    INFO(kind);
    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  }
  CHECK(sockets >= 3); // Listening, accepted, the client's.
}
