#include "raw_client.hpp"
#include "support/catch.hpp"
#include <csignal>
#include <unistd.h>

using namespace troupe;
using namespace troupe::testing;

namespace {

std::string refusal(http::server_options options) {
  try {
    http::server server(std::move(options), echo);
    return "";
  } catch (const input_error& error) {
    return error.what();
  }
}

} // namespace

TEST_CASE("a server that cannot listen says why") {
  running_server first(echo);
  auto options = running_server::quick_options();
  options.port = first.port();
  CHECK_THAT(refusal(options), ContainsSubstring("another program uses this port") && ContainsSubstring(std::to_string(first.port())));
  options = running_server::quick_options();
  options.host = "192.0.2.1"; // For documentation only: nobody has it.
  CHECK_THAT(refusal(options), ContainsSubstring("not an address of this machine"));
  options.host = "no such host";
  CHECK_THAT(refusal(options), ContainsSubstring("not known"));
  options.host = "";
  CHECK_THAT(refusal(options), ContainsSubstring("host is empty"));
}

TEST_CASE("a server knows its address") {
  http::server server(running_server::quick_options(), echo);
  CHECK(server.port() > 0);
  CHECK(server.address() == "http://127.0.0.1:" + std::to_string(server.port()));
  auto options = running_server::quick_options();
  options.host = "::1";
  try {
    http::server ipv6(options, echo);
    CHECK(ipv6.address() == "http://[::1]:" + std::to_string(ipv6.port()));
  } catch (const input_error& error) {
    WARN("no IPv6 here: " << error.what());
  }
}

TEST_CASE("a port can be used again at once") {
  auto options = running_server::quick_options();
  for (int i = 0; i < 3; ++i) {
    running_server server(echo, options);
    options.port = server.port();
    auto client = server.connect();
    REQUIRE(client.send(get("/", "Connection: close\r\n"))); // So that the server's side waits in the system.
    CHECK(client.read_answer().status == 200);
    CHECK(client.ended_within(3s));
  }
}

TEST_CASE("stop ends run at once, tells exchanges that their peers are gone, and leaves no connection") {
  std::vector<std::shared_ptr<http::exchange>> kept;
  int gone = 0;
  auto server = std::make_unique<running_server>([&](std::shared_ptr<http::exchange> exchange) {
    exchange->on_gone([&] { ++gone; });
    kept.push_back(std::move(exchange));
  });
  std::vector<raw_client> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(server->connect());
    REQUIRE(clients.back().send(get("/")));
  }
  REQUIRE(server->becomes([](const auto& facts) { return facts.requests == 5; }));
  (*server)->stop();
  server->join();
  CHECK(gone == 5);
  for (auto& one : clients) CHECK(one.ended_within(1s));
  server.reset();
  for (const auto& one : kept) { // They may outlive the server.
    CHECK(one->gone());
    one->respond({});
  }
}

TEST_CASE("stop before run is not forgotten, and what was posted is dropped with the server") {
  auto held = std::make_shared<int>(1);
  {
    http::server server(running_server::quick_options(), echo);
    server.stop();
    server.post([held] {});
    server.run();
  }
  CHECK(held.use_count() == 1);
}

TEST_CASE("after stop_accepting present answers are completed, then run returns") {
  std::shared_ptr<http::exchange> kept;
  running_server server([&](std::shared_ptr<http::exchange> exchange) { kept = std::move(exchange); });
  auto busy = server.connect(), idle = server.connect();
  REQUIRE(busy.send(get("/") + get("/next")));
  REQUIRE(server.becomes([](const auto& facts) { return facts.requests == 1 && facts.connections == 2; }));
  server.in_server([&] { server->stop_accepting(); });
  CHECK(idle.ended_within(1s));
  raw_client late{raw_client::unconnected{}};
  CHECK_FALSE(late.connect(server.port()));
  server.in_server([&] {
    kept->respond({200, "text/plain", std::string(2'000'000, 'x'), {}});
    kept.reset();
  });
  const answer got = busy.read_answer();
  CHECK(got.complete);
  CHECK(got.headers.at("connection") == "close");
  CHECK(busy.read_answer().status == 0);
  busy.close();
  server.join(); // Returns.
  CHECK(server->facts().requests == 1);
}

TEST_CASE("stop_accepting without connections ends run") {
  running_server server(echo);
  server->post([&] { server->stop_accepting(); });
  server.join();
  CHECK(server->facts().connections == 0);
}

TEST_CASE("functions posted from other threads run in order on the server's thread") {
  running_server server(echo);
  std::vector<int> order;
  std::thread::id on;
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) {
      server->post([&, i] {
        order.push_back(i);
        on = std::this_thread::get_id();
      });
    }
  });
  other.join();
  std::thread::id server_thread;
  server.in_server([&] { server_thread = std::this_thread::get_id(); });
  REQUIRE(order.size() == 1000);
  CHECK(std::is_sorted(order.begin(), order.end()));
  CHECK(on == server_thread);
  CHECK(on != std::this_thread::get_id());
}

TEST_CASE("a function that throws is reported, and the server goes on") {
  std::vector<std::string> reported;
  auto options = running_server::quick_options();
  options.on_exception = [&](const std::string& what) { reported.push_back(what); };
  running_server server(echo, options);
  server->post([] { throw std::runtime_error("from post"); });
  server->post([] { throw 1; });
  http::timer timer;
  server.in_server([&] { timer = server->after(1ms, [] { throw std::runtime_error("from a timer"); }); });
  std::this_thread::sleep_for(50ms);
  auto client = server.connect();
  REQUIRE(client.send(get("/")));
  CHECK(client.read_answer().status == 200);
  server.in_server([] {});
  REQUIRE(reported.size() == 3);
  CHECK(reported[0] == "from post");
  CHECK(reported[2] == "from a timer");
}

TEST_CASE("a timer calls once and late enough, unless it is cancelled or destroyed") {
  http::timer outliving;
  {
    running_server server(echo);
    int called = 0, never = 0;
    http::timer first, second;
    const auto begin = std::chrono::steady_clock::now();
    std::chrono::steady_clock::duration took{};
    server.in_server([&] {
      first = server->after(30ms, [&] {
        ++called;
        took = std::chrono::steady_clock::now() - begin;
      });
      second = server->after(10ms, [&] { ++never; });
      { const http::timer dropped = server->after(10ms, [&] { ++never; }); }
      outliving = server->after(1h, [&] { ++never; });
      second.cancel();
    });
    std::this_thread::sleep_for(150ms);
    server.in_server([&] {
      CHECK(called == 1);
      CHECK(never == 0);
      CHECK(took >= 30ms);
      first.cancel(); // After its time: nothing.
      first = server->after(1ms, [&] { second = std::move(first); }); // It may go from within its own call.
    });
    std::this_thread::sleep_for(30ms);
    server.in_server([] {});
  }
  outliving.cancel();
}

TEST_CASE("signals to end are handed over on the server's thread") {
  running_server server(echo);
  std::vector<int> signals;
  server.in_server([&] { server->on_signal([&](int number) { signals.push_back(number); }); });
  for (const int number : {SIGTERM, SIGINT, SIGTERM}) {
    ::kill(::getpid(), number);
    std::this_thread::sleep_for(20ms);
  }
  server.in_server([&] { CHECK(signals == std::vector<int>{SIGTERM, SIGINT, SIGTERM}); });
}

TEST_CASE("the log is told of each request: answered, refused, or gone") {
  std::vector<http::finished_request> logged;
  auto options = running_server::quick_options();
  options.log = [&](const http::finished_request& finished) { logged.push_back(finished); };
  std::shared_ptr<http::exchange> kept;
  running_server server(
      [&](const std::shared_ptr<http::exchange>& exchange) {
        if (exchange->asked().path == "/slow") {
          kept = exchange;
        } else {
          echo(exchange);
        }
      },
      options);
  auto client = server.connect();
  REQUIRE(client.send(get("/a%20b?secret", "X-Request-Id: first\r\n")));
  CHECK(client.read_answer().status == 200);
  REQUIRE(client.send(get("/slow")));
  REQUIRE(server.becomes([](const auto& facts) { return facts.requests == 2; }));
  client.close();
  REQUIRE(server.becomes([](const auto& facts) { return facts.requests_gone == 1; }));
  auto other = server.connect();
  REQUIRE(other.send("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n"));
  CHECK(other.read_answer().status == 400);
  other.close();
  REQUIRE(server.becomes([](const auto& facts) { return facts.connections == 0; }));
  server.in_server([&] {
    kept.reset();
    REQUIRE(logged.size() == 3);
    CHECK(logged[0].method == "GET");
    CHECK(logged[0].path == "/a b");
    CHECK(logged[0].id == "first");
    CHECK(logged[0].status == 200);
    CHECK(logged[0].bytes == std::string("GET /a b secret ").size());
    CHECK(logged[0].complete);
    CHECK(logged[0].peer.starts_with("127.0.0.1:"));
    CHECK(logged[1].path == "/slow");
    CHECK(logged[1].status == 0);
    CHECK_FALSE(logged[1].complete);
    CHECK(logged[2].status == 400);
    CHECK(logged[2].complete);
  });
}
