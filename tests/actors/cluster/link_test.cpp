// Goal: a link passes on every byte, in order, and is as bad as it is told to be.
#include "support/catch.hpp"
#include "support/link.hpp"
#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>

using namespace troupe::testing;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

/// A descriptor of a socket. What takes longer than ten seconds fails.
class plain_socket {
public:
  explicit plain_socket(int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) : descriptor_(descriptor) {
    REQUIRE(descriptor_ >= 0);
    const timeval time{10, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
  }
  plain_socket(plain_socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  ~plain_socket() { close(); }
  void close() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }
  int descriptor() const { return descriptor_; }
  bool connect(uint16_t port) const {
    const auto address = loopback(port);
    return ::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  void send(const std::string& bytes) const {
    for (size_t sent = 0; sent < bytes.size();) {
      const auto count = ::send(descriptor_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      REQUIRE(count > 0);
      sent += static_cast<size_t>(count);
    }
  }
  /// Fewer where the connection ended before.
  std::string receive(size_t count) const {
    std::string bytes(count, 0);
    size_t received = 0;
    while (received < count) {
      const auto more = ::recv(descriptor_, bytes.data() + received, count - received, 0);
      if (more < 0) REQUIRE(errno == ECONNRESET); // No time-out.
      if (more <= 0) break;
      received += static_cast<size_t>(more);
    }
    bytes.resize(received);
    return bytes;
  }
  bool has_ended() const { return receive(1).empty(); }
  /// Nothing has come, nor the end, after this time.
  bool is_silent_for(std::chrono::milliseconds time) const {
    std::this_thread::sleep_for(time);
    char byte;
    return ::recv(descriptor_, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
  }

private:
  int descriptor_;
};

/// A server, a link to it, and one connection by way of the link.
struct linked_pair {
  plain_socket listener;
  uint16_t port = listen();
  tcp_link link{port};
  plain_socket client = connect(), server{::accept(listener.descriptor(), nullptr, nullptr)};

  uint16_t listen() const {
    auto address = loopback(0);
    socklen_t length = sizeof address;
    REQUIRE(::bind(listener.descriptor(), reinterpret_cast<sockaddr*>(&address), length) == 0);
    REQUIRE(::listen(listener.descriptor(), 8) == 0);
    REQUIRE(::getsockname(listener.descriptor(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
    return ntohs(address.sin_port);
  }
  plain_socket connect() const {
    plain_socket made;
    REQUIRE(made.connect(link.port()));
    return made;
  }
};

std::string numbered_bytes(size_t count) {
  std::string bytes(count, 0);
  uint32_t state = 1;
  for (auto& byte : bytes) byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return bytes;
}

constexpr auto there = tcp_link::direction::there, back = tcp_link::direction::back;

} // namespace

TEST_CASE("a link passes on and counts all bytes both ways", "[link]") {
  linked_pair pair;
  const auto asked = numbered_bytes(1'000'000), answered = numbered_bytes(700'001);
  pair.client.send(asked);
  pair.server.send(answered);
  CHECK((pair.server.receive(asked.size()) == asked));
  CHECK((pair.client.receive(answered.size()) == answered));
  const auto counted = pair.link.count();
  CHECK(counted.bytes_there == asked.size());
  CHECK(counted.bytes_back == answered.size());
  CHECK(counted.connections == 1);
  CHECK(counted.open_connections == 1);
}

TEST_CASE("a link with a delay passes on every byte, and the end, later by so much", "[link]") {
  linked_pair pair;
  pair.link.set(there, {.delay = 150ms});
  const auto sent_at = steady_clock::now();
  pair.client.send("ping");
  CHECK(pair.server.receive(4) == "ping");
  CHECK(steady_clock::now() - sent_at >= 150ms);
  pair.server.send("pong");
  CHECK(pair.client.receive(4) == "pong");
  const auto closed_at = steady_clock::now();
  pair.client.close();
  CHECK(pair.server.has_ended());
  CHECK(steady_clock::now() - closed_at >= 150ms);
}

TEST_CASE("a delay that becomes shorter lets go what waits", "[link]") {
  linked_pair pair;
  pair.link.set({.delay = 1h});
  pair.client.send("ping");
  CHECK(pair.server.is_silent_for(50ms));
  pair.link.set({});
  CHECK(pair.server.receive(4) == "ping");
}

TEST_CASE("a link passes on no more bytes in a second than it is told", "[link]") {
  linked_pair pair;
  pair.link.set(back, {.bytes_per_second = 200'000});
  const auto bytes = numbered_bytes(100'000);
  const auto sent_at = steady_clock::now();
  pair.server.send(bytes);
  CHECK((pair.client.receive(bytes.size()) == bytes));
  CHECK(steady_clock::now() - sent_at >= 450ms); // The first piece comes at once, and 10 ms may be made up for.
}

TEST_CASE("a stalled direction keeps its bytes, the other one does not notice", "[link]") {
  linked_pair pair;
  pair.link.set(there, {.is_stalled = true});
  pair.client.send("ping");
  pair.server.send("pong");
  CHECK(pair.client.receive(4) == "pong");
  CHECK(pair.server.is_silent_for(100ms));
  CHECK(pair.link.count().bytes_there == 0);
  pair.link.set(there, {});
  CHECK(pair.server.receive(4) == "ping");
}

TEST_CASE("who is behind a stalled link does not learn that the other end has gone", "[link]") {
  linked_pair pair;
  pair.link.set(back, {.is_stalled = true});
  pair.server.close();
  for (int i = 0; i < 5; ++i) { // The first bytes make the server's machine say that nobody is there, the next ones cannot be written.
    pair.client.send("is anybody there?");
    CHECK(pair.client.is_silent_for(20ms));
  }
  CHECK(pair.link.count().open_connections == 1);
  pair.link.set({});
  CHECK(pair.client.has_ended());
  for (int i = 0; i < 1000 && pair.link.count().open_connections > 0; ++i) std::this_thread::sleep_for(10ms);
  CHECK(pair.link.count().open_connections == 0);
}

TEST_CASE("a link keeps a few megabytes at most, then the sender waits, and no byte is lost", "[link]") {
  linked_pair pair;
  pair.link.set(there, {.is_stalled = true});
  const auto bytes = numbered_bytes(64'000'000);
  size_t sent = 0;
  const int small = 64 << 10;
  ::setsockopt(pair.client.descriptor(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  for (int waited = 0; waited < 10 && sent < bytes.size();) { // Until nothing more is taken for 100 ms.
    const auto count = ::send(pair.client.descriptor(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) {
      sent += static_cast<size_t>(count);
      waited = 0;
    } else {
      REQUIRE(errno == EAGAIN);
      std::this_thread::sleep_for(10ms);
      ++waited;
    }
  }
  CHECK(sent >= 4 << 20);
  CHECK(sent < 16 << 20); // The system keeps some, too.
  pair.link.set({});
  CHECK((pair.server.receive(sent) == bytes.substr(0, sent)));
}

TEST_CASE("a link that is cut ends its connections and refuses others until it is restored", "[link]") {
  linked_pair pair;
  pair.link.cut();
  CHECK(pair.client.has_ended());
  CHECK(pair.server.has_ended());
  plain_socket refused;
  CHECK_FALSE(refused.connect(pair.link.port()));
  CHECK(errno == ECONNREFUSED);
  CHECK(pair.link.count().open_connections == 0);
  pair.link.restore();
  const auto again = pair.connect();
  const plain_socket server(::accept(pair.listener.descriptor(), nullptr, nullptr));
  again.send("ping");
  CHECK(server.receive(4) == "ping");
  CHECK(pair.link.count().connections == 2);
}

TEST_CASE("either end may stop to send and go on to receive", "[link]") {
  linked_pair pair;
  pair.client.send("ping");
  ::shutdown(pair.client.descriptor(), SHUT_WR);
  CHECK(pair.server.receive(5) == "ping"); // And then the end.
  pair.server.send("pong");
  CHECK(pair.client.receive(4) == "pong");
  pair.server.close();
  CHECK(pair.client.has_ended());
}

TEST_CASE("a connection to nobody ends", "[link]") {
  linked_pair pair;
  pair.listener.close();
  CHECK(pair.connect().has_ended());
}
