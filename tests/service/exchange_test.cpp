#include "raw_client.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;

TEST_CASE("a request is answered on a connection that stays, with the headers that every answer has") {
  running_server server(echo);
  auto client = server.connect();
  for (int i = 0; i < 3; ++i) {
    REQUIRE(client.send(post("/a%20b/%C3%BC?x=1&y=%20", "body " + std::to_string(i))));
    const answer got = client.read_answer();
    CHECK(got.status == 200);
    CHECK(got.complete);
    CHECK(got.body == "POST /a b/\xC3\xBC x=1&y=%20 body " + std::to_string(i));
    CHECK(got.headers.at("server") == "troupe");
    CHECK(got.headers.at("date").size() == std::string("Sun, 06 Nov 1994 08:49:37 GMT").size());
    CHECK(got.headers.at("content-type") == "text/plain");
    CHECK_THAT(got.headers.at("x-request-id"), ContainsSubstring("req-"));
    CHECK(got.headers.count("connection") == 0);
  }
  CHECK(server.becomes([](const auto& facts) { return facts.bytes_sent > 3 * 120; }));
  const auto facts = server.facts();
  CHECK(facts.connections == 1);
  CHECK(facts.connections_total == 1);
  CHECK(facts.requests == 3);
  CHECK(facts.bytes_received == 3 * post("/a%20b/%C3%BC?x=1&y=%20", "body 0").size());
}

TEST_CASE("a client's request id is used if it is sane") {
  running_server server(echo);
  auto client = server.connect();
  REQUIRE(client.send(get("/", "X-Request-Id: trace-1:a.b_c\r\n")));
  CHECK(client.read_answer().headers.at("x-request-id") == "trace-1:a.b_c");
  for (const std::string& insane : {std::string("a b"), std::string("\"x\""), std::string("{}"), std::string(129, 'a')}) {
    REQUIRE(client.send(get("/", "X-Request-Id: " + insane + "\r\n")));
    CHECK(client.read_answer().headers.at("x-request-id").starts_with("req-"));
  }
}

TEST_CASE("requests that are sent ahead are answered one at a time, in order") {
  std::vector<std::shared_ptr<http::exchange>> waiting;
  running_server server([&](std::shared_ptr<http::exchange> exchange) { waiting.push_back(std::move(exchange)); });
  auto client = server.connect();
  std::string sent;
  for (int i = 0; i < 200; ++i) sent += get("/" + std::to_string(i)); // More than is read ahead.
  REQUIRE(client.send(sent));
  for (int i = 0; i < 200; ++i) {
    REQUIRE(server.becomes([&](const auto& facts) { return facts.requests == static_cast<uint64_t>(i + 1); }));
    if (i == 0) {
      std::this_thread::sleep_for(20ms);
      CHECK(server.facts().requests == 1);
    }
    server.in_server([&] {
      REQUIRE(waiting.size() == 1);
      echo(waiting.back());
      waiting.clear();
    });
    CHECK(client.read_answer().body == "GET /" + std::to_string(i) + "  ");
  }
}

TEST_CASE("a stream goes out in chunks as it is written, and the connection stays") {
  std::shared_ptr<http::exchange> stream;
  running_server server([&](std::shared_ptr<http::exchange> exchange) { stream = std::move(exchange); });
  auto client = server.connect();
  for (int round = 0; round < 2; ++round) {
    REQUIRE(client.send(get("/")));
    REQUIRE(server.becomes([&](const auto& facts) { return facts.requests == static_cast<uint64_t>(round + 1); }));
    server.in_server([&] {
      stream->begin_stream(200, "text/event-stream", {{"Cache-Control", "no-store"}});
      stream->write("one ");
    });
    REQUIRE(client.read_until("one ")); // Before the stream has ended.
    server.in_server([&] {
      stream->write("");
      stream->write("two ");
      stream->write("three");
      stream->end_stream();
      stream.reset();
    });
    const answer got = client.read_answer();
    CHECK(got.complete);
    CHECK(got.body == "one two three");
    CHECK(got.headers.at("transfer-encoding") == "chunked");
    CHECK(got.headers.at("cache-control") == "no-store");
    CHECK(got.headers.count("content-length") == 0);
  }
}

TEST_CASE("a stream for a client of HTTP/1.0 ends with the connection") {
  running_server server([](const std::shared_ptr<http::exchange>& exchange) {
    exchange->begin_stream(200, "text/plain");
    exchange->write("whole");
    exchange->end_stream();
  });
  auto client = server.connect();
  REQUIRE(client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  const answer got = client.read_answer();
  CHECK(got.headers.count("transfer-encoding") == 0);
  CHECK(got.headers.at("connection") == "close");
  CHECK(got.body == "whole");
  CHECK(got.complete);
}

TEST_CASE("connections stay or close as the client asks, in HTTP/1.0 and 1.1") {
  running_server server(echo);
  const auto stays = [&](const std::string& request, const char* connection) {
    auto client = server.connect();
    REQUIRE(client.send(request));
    const answer got = client.read_answer();
    CHECK(got.status == 200);
    CHECK((got.headers.count("connection") == 1 ? got.headers.at("connection") : "") == connection);
    return !client.ended_within(100ms);
  };
  CHECK(stays("GET / HTTP/1.1\r\nHost: x\r\n\r\n", ""));
  CHECK_FALSE(stays("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "close"));
  CHECK_FALSE(stays("GET / HTTP/1.0\r\n\r\n", "close"));
  CHECK(stays("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive"));
}

TEST_CASE("HEAD is answered without the body, OPTIONS by the handler") {
  running_server server(echo);
  auto client = server.connect();
  REQUIRE(client.send("HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n"));
  const answer head = client.read_answer(10s, true);
  CHECK(head.status == 200);
  CHECK(head.headers.at("content-length") == std::to_string(std::string("HEAD /x  ").size()));
  REQUIRE(client.send("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"));
  CHECK(client.read_answer().body == "OPTIONS *  ");
}

TEST_CASE("HEAD of a stream, and statuses without a body, leave the connection usable") {
  running_server server([](const std::shared_ptr<http::exchange>& exchange) {
    if (exchange->asked().path == "/none") return exchange->respond({.status = 204, .content_type = "", .body = "", .headers = {}});
    exchange->begin_stream(200, "text/plain");
    exchange->write("not for HEAD");
    exchange->end_stream();
  });
  auto client = server.connect();
  REQUIRE(client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"));
  CHECK(client.read_answer(10s, true).status == 200);
  REQUIRE(client.send(get("/none")));
  const answer none = client.read_answer();
  CHECK(none.status == 204);
  CHECK(none.headers.count("content-length") == 0);
  REQUIRE(client.send(get("/")));
  CHECK(client.read_answer().body == "not for HEAD");
}

TEST_CASE("a client that expects 100-continue is told to go on, and no other") {
  running_server server(echo);
  auto client = server.connect();
  REQUIRE(client.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"));
  CHECK(client.read_answer().status == 100);
  REQUIRE(client.send("late"));
  CHECK(client.read_answer().body == "POST /  late");
  REQUIRE(client.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nsoon"));
  CHECK(client.read_answer().body == "POST /  soon");
  REQUIRE(client.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n"));
  CHECK(client.read_answer().status == 413);
  auto other = server.connect();
  REQUIRE(other.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: magic\r\nContent-Length: 4\r\n\r\n"));
  CHECK(other.read_answer().status == 417);
}

TEST_CASE("bodies in chunks arrive whole, however they are cut on their way") {
  running_server server(echo);
  const std::string body = "4;name=\"v\"\r\nwiki\r\n5\r\npedia\r\nA\r\n in chunks\r\n0\r\nTrailer: dropped\r\n\r\n";
  const std::string request = "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body;
  auto client = server.connect();
  REQUIRE(client.send(request + request));
  CHECK(client.read_answer().body == "POST /c  wikipedia in chunks");
  CHECK(client.read_answer().body == "POST /c  wikipedia in chunks");
  for (const char byte : request) {
    REQUIRE(client.send({&byte, 1}));
    std::this_thread::sleep_for(100us);
  }
  CHECK(client.read_answer().body == "POST /c  wikipedia in chunks");
}

TEST_CASE("a handler that throws is answered for, and the server goes on") {
  std::vector<std::string> reported;
  auto options = running_server::quick_options();
  options.on_exception = [&](const std::string& what) { reported.push_back(what); };
  running_server server(
      [](const std::shared_ptr<http::exchange>& exchange) {
        const auto& path = exchange->asked().path;
        if (path == "/input") throw input_error("no such model \"\xff\"");
        if (path == "/http") throw http::http_error(404, "not_found", "there is nothing here");
        if (path == "/bug") throw std::logic_error("a bug");
        if (path == "/int") throw 1;
        if (path == "/header") exchange->respond({.status = 200, .content_type = "x\r\nSet-Cookie: y", .body = "", .headers = {}});
        if (path == "/drop") return;
        if (path == "/late") {
          exchange->begin_stream(200, "text/plain");
          exchange->write("begun");
          throw std::logic_error("late");
        }
        echo(exchange);
      },
      options);
  auto client = server.connect();
  const auto ask = [&](const std::string& path) {
    REQUIRE(client.send(get(path)));
    return client.read_answer();
  };
  CHECK(ask("/input").status == 400);
  const answer http = ask("/http");
  CHECK(http.status == 404);
  CHECK(http.body == R"({"error":{"message":"there is nothing here","type":"invalid_request_error","param":null,"code":"not_found"}})"
                     "\n");
  CHECK(http.headers.at("content-type") == "application/json");
  CHECK(http.headers.count("x-request-id") == 1);
  const answer bug = ask("/bug");
  CHECK(bug.status == 500);
  CHECK(bug.body.find("a bug") == std::string::npos);
  CHECK_THAT(bug.body, ContainsSubstring("server_error"));
  CHECK(ask("/int").status == 500);
  CHECK(ask("/header").status == 500);
  CHECK(ask("/drop").status == 500);
  CHECK(ask("/fine").status == 200);
  const answer late = ask("/late");
  CHECK_FALSE(late.complete);
  CHECK(server.facts().requests == 8);
  server.in_server([&] { CHECK(reported.size() == 4); });
  CHECK(reported.at(0) == "a bug");
}

TEST_CASE("a stream that is dropped before its end breaks the connection") {
  running_server server([](const std::shared_ptr<http::exchange>& exchange) {
    exchange->begin_stream(200, "text/plain");
    exchange->write("half");
  });
  auto client = server.connect();
  REQUIRE(client.send(get("/")));
  CHECK_FALSE(client.read_answer().complete);
  CHECK(client.ended_within(1s));
}
