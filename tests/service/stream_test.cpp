#include "raw_client.hpp"
#include "support/catch.hpp"
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

using namespace troupe;
using namespace troupe::testing;

namespace {

using clock = std::chrono::steady_clock;

/// How many segments with data have come.
uint32_t segments(const raw_client& client) {
  tcp_info info{};
  socklen_t size = sizeof info;
  REQUIRE(::getsockopt(client.descriptor(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
  return info.tcpi_data_segs_in;
}

/// Keeps exchanges and notes when their peers are gone.
struct keeping_handler {
  std::vector<std::shared_ptr<http::exchange>> kept;
  std::atomic<int> gone = 0;
  bool stream = false;

  http::handler function() {
    return [this](std::shared_ptr<http::exchange> exchange) {
      exchange->on_gone([this] { ++gone; });
      if (stream) {
        exchange->begin_stream(200, "text/plain");
        exchange->write("begun");
      }
      kept.push_back(std::move(exchange));
    };
  }

  bool is_gone_within(milliseconds time) const {
    for (const auto end = clock::now() + time; gone == 0 && clock::now() < end;) std::this_thread::sleep_for(1ms);
    return gone == 1;
  }
};

} // namespace

TEST_CASE("a client that goes away is noticed within 100 ms, while the answer is thought about and while it streams") {
  for (const bool stream : {false, true}) {
    for (const int how : {0, 1, 2}) {
      INFO("stream " << stream << ", how " << how);
      keeping_handler handler;
      handler.stream = stream;
      running_server server(handler.function());
      auto client = server.connect();
      REQUIRE(client.send(post("/", "body")));
      if (stream) REQUIRE(client.read_until("begun"));
      REQUIRE(server.becomes([](const auto& facts) { return facts.requests == 1; }));
      std::this_thread::sleep_for(20ms);
      CHECK(handler.gone == 0);
      if (how == 0) client.close();
      if (how == 1) client.reset();
      if (how == 2) client.end_sending();
      CHECK(handler.is_gone_within(100ms));
      server.in_server([&] {
        auto& exchange = *handler.kept.front();
        CHECK(exchange.gone());
        // All of these do nothing now.
        if (stream) {
          exchange.write("x");
          exchange.end_stream();
        } else {
          exchange.respond({});
        }
        int called = 0;
        exchange.on_gone([&] { ++called; });
        CHECK(called == 1);
        handler.kept.clear();
      });
      CHECK(server.facts().connections == 0);
      CHECK(server.facts().requests_gone == 1);
    }
  }
}

TEST_CASE("a complete answer is no reason to say that the peer is gone") {
  keeping_handler handler;
  running_server server(handler.function());
  {
    auto client = server.connect();
    REQUIRE(client.send(get("/")));
    REQUIRE(server.becomes([](const auto& facts) { return facts.requests == 1; }));
    server.in_server([&] { handler.kept.front()->respond({200, "text/plain", "x", {}}); });
    CHECK(client.read_answer().body == "x");
  }
  REQUIRE(server.becomes([](const auto& facts) { return facts.connections == 0; }));
  server.in_server([&] { CHECK_FALSE(handler.kept.front()->gone()); });
  CHECK(handler.gone == 0);
  CHECK(server.facts().requests_gone == 0);
  server.in_server([&] { handler.kept.clear(); });
}

TEST_CASE("a client that has only ended its sending still reads an answer that is whole") {
  running_server server([](const std::shared_ptr<http::exchange>& exchange) {
    exchange->respond({200, "text/plain", std::string(3'000'000, 'x'), {}});
  });
  auto client = server.connect();
  REQUIRE(client.send(get("/")));
  client.end_sending();
  const answer got = client.read_answer();
  CHECK(got.complete);
  CHECK(got.body.size() == 3'000'000);
}

TEST_CASE("a client that does not read is cut off at the bound, and the others are not disturbed") {
  auto options = running_server::quick_options();
  options.output_bytes_max = 200'000;
  keeping_handler handler;
  handler.stream = true;
  running_server server(handler.function(), options);
  auto client = server.connect(4096);
  REQUIRE(client.send(get("/")));
  REQUIRE(server.becomes([](const auto& facts) { return facts.requests == 1; }));
  size_t written = 0, queued_most = 0;
  while (handler.gone == 0 && written < 100'000'000) {
    server.in_server([&] {
      auto& exchange = *handler.kept.front();
      if (!exchange.gone()) written += 10'000;
      exchange.write(std::string(10'000, 'x'));
      queued_most = std::max(queued_most, exchange.queued_bytes());
    });
  }
  CHECK(handler.gone == 1);
  CHECK(queued_most > 200'000);
  CHECK(queued_most < 200'000 + 11'000);
  CHECK(written < 2'000'000); // What the system took included.
  auto other = server.connect();
  REQUIRE(other.send(get("/")));
  CHECK(other.read_until("begun"));
  server.in_server([&] { handler.kept.clear(); });
}

TEST_CASE("a client that stops reading is cut off when its time is over, one that reads slowly is not") {
  auto options = running_server::quick_options();
  options.transfer_time = 300ms;
  options.transfer_rate_min = 1'000'000;
  keeping_handler handler;
  handler.stream = true;
  running_server server(handler.function(), options);
  auto slow = server.connect(4096), stops = server.connect(4096);
  for (auto* one : {&slow, &stops}) REQUIRE(one->send(get("/")));
  REQUIRE(server.becomes([](const auto& facts) { return facts.requests == 2; }));
  server.in_server([&] {
    for (const auto& one : handler.kept) one->write(std::string(900'000, 'x'));
  });
  const auto begin = clock::now();
  std::string read;
  while (clock::now() < begin + 700ms) {
    slow.receive(read, 10ms);
    std::this_thread::sleep_for(1ms);
  }
  CHECK(handler.gone == 1);
  server.in_server([&] {
    for (const auto& one : handler.kept) {
      if (!one->gone()) one->end_stream();
    }
  });
  CHECK(server.becomes([](const auto& facts) { return facts.requests_gone == 1; }));
  while (read.size() < 900'000 && slow.receive(read, 1s) == byte_stream::outcome::bytes) {}
  CHECK(read.size() > 900'000);
  server.in_server([&] { handler.kept.clear(); });
}

TEST_CASE("what one turn writes goes out together") {
  keeping_handler handler;
  running_server server(handler.function());
  auto client = server.connect();
  for (int i = 0; i < 20; ++i) {
    REQUIRE(client.send(get("/")));
    REQUIRE(server.becomes([&](const auto& facts) { return facts.requests == static_cast<uint64_t>(i + 1); }));
    server.in_server([&] {
      handler.kept.back()->begin_stream(200, "text/plain");
      for (int piece = 0; piece < 50; ++piece) handler.kept.back()->write("piece ");
      handler.kept.back()->end_stream();
      handler.kept.clear();
    });
    CHECK(client.read_answer().body.size() == 50 * 6);
    CHECK(segments(client) == static_cast<uint32_t>(i + 1));
  }
}

TEST_CASE("a hundred streams at once arrive whole") {
  keeping_handler handler;
  handler.stream = true;
  running_server server(handler.function());
  std::vector<raw_client> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(server.connect());
    REQUIRE(clients.back().send(get("/")));
  }
  REQUIRE(server.becomes([](const auto& facts) { return facts.requests == 100; }));
  for (int token = 0; token < 50; ++token) {
    server.in_server([&] {
      for (const auto& one : handler.kept) one->write("token " + std::to_string(token) + "\n");
    });
  }
  server.in_server([&] {
    for (const auto& one : handler.kept) one->end_stream();
    handler.kept.clear();
  });
  std::string expected = "begun";
  for (int token = 0; token < 50; ++token) expected += "token " + std::to_string(token) + "\n";
  for (auto& one : clients) CHECK(one.read_answer().body == expected);
}

TEST_CASE("misuse of an exchange is a broken invariant and harms nobody") {
  running_server server([](const std::shared_ptr<http::exchange>& exchange) {
    CHECK_THROWS_AS(exchange->write("x"), broken_invariant);
    CHECK_THROWS_AS(exchange->end_stream(), broken_invariant);
    CHECK_THROWS_AS(exchange->respond({.status = 99, .content_type = "", .body = "", .headers = {}}), broken_invariant);
    CHECK_THROWS_AS(exchange->respond({.status = 200, .content_type = "", .body = "", .headers = {{"a b", ""}}}), broken_invariant);
    exchange->respond({200, "text/plain", "once", {}});
    CHECK_THROWS_AS(exchange->respond({}), broken_invariant);
    CHECK_THROWS_AS(exchange->begin_stream(200, ""), broken_invariant);
  });
  auto client = server.connect();
  REQUIRE(client.send(get("/")));
  CHECK(client.read_answer().body == "once");
}
