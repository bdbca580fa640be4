#include "raw_client.hpp"
#include "support/catch.hpp"
#include <nlohmann/json.hpp>
#include <random>

using namespace troupe;
using namespace troupe::testing;

namespace {

struct hostile {
  int status;
  std::string request;
};

std::string with_headers(const std::string& headers, const std::string& body = "") {
  return "POST / HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n" + body;
}
std::string to(const std::string& target) { return "GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n"; }
std::string in_chunks(const std::string& body) { return with_headers("Transfer-Encoding: chunked\r\n", body); }

} // namespace

TEST_CASE("what two servers could understand in two ways, and what is no request, is refused with an error and the end of the connection") {
  const std::vector<hostile> all{
      // Where a body ends.
      {400, with_headers("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
      {400, with_headers("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n")},
      {400, with_headers("Content-Length: 4\r\nContent-Length: 5\r\n", "abcde")},
      {400, with_headers("Content-Length: 4\r\nContent-Length: 4\r\n", "abcd")},
      {400, with_headers("Content-Length: 4, 4\r\n", "abcd")},
      {400, with_headers("Content-Length: +4\r\n", "abcd")},
      {400, with_headers("Content-Length: -4\r\n", "abcd")},
      {400, with_headers("Content-Length: 0x4\r\n", "abcd")},
      {400, with_headers("Content-Length: 4 4\r\n", "abcd")},
      {400, with_headers("Content-Length:\r\n", "abcd")},
      {400, with_headers("Content-Length: 99999999999999999999999\r\n", "abcd")},
      {413, with_headers("Content-Length: 18446744073709551615\r\n", "abcd")},
      {400, with_headers("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
      {400, with_headers("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n")},
      {501, with_headers("Transfer-Encoding: gzip\r\n", "0\r\n\r\n")},
      {501, with_headers("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")},
      {501, with_headers("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n")},
      {501, with_headers("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")},
      {501, with_headers("Transfer-Encoding:\r\n", "0\r\n\r\n")},
      {400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {400, with_headers("Transfer-Encoding : chunked\r\n", "0\r\n\r\n")},
      {400, with_headers("Content-Length : 4\r\n", "abcd")},
      {400, with_headers("Content-Length\r\n", "abcd")},
      // Chunks.
      {400, in_chunks("\r\n\r\n")},
      {400, in_chunks("g\r\nx\r\n0\r\n\r\n")},
      {400, in_chunks("-1\r\nx\r\n0\r\n\r\n")},
      {400, in_chunks("0x1\r\nx\r\n0\r\n\r\n")},
      {400, in_chunks(" 1\r\nx\r\n0\r\n\r\n")},
      {400, in_chunks("1\nx\r\n0\r\n\r\n")},
      {400, in_chunks("1\r\nxy\r\n0\r\n\r\n")},
      {400, in_chunks("1\r\nx\n0\r\n\r\n")},
      {400, in_chunks("1\rx\r\n0\r\n\r\n")},
      {413, in_chunks("ffffffffffffffff\r\nx\r\n0\r\n\r\n")},
      {413, in_chunks("10000000000000001\r\nx\r\n0\r\n\r\n")},
      {431, in_chunks("1;" + std::string(20'000, 'x') + "\r\n")},
      {431, in_chunks(std::string(20'000, '0'))},
      {431, in_chunks("0\r\n" + std::string(20'000, 'x'))},
      {400, in_chunks(std::string("1;\0\r\nx\r\n0\r\n\r\n", 14))},
      // The target.
      {400, to("/%")},
      {400, to("/%4")},
      {400, to("/%zz")},
      {400, to("/%00")},
      {400, to("/%0d%0aSet-Cookie:x")},
      {400, to("/%7f")},
      {400, to("/%ff")},
      {400, to("/%c0%af")},
      {400, to("/%ed%a0%80")},
      {400, to("/\xff")},
      {400, to("/a#b")},
      {400, to("a")},
      {400, to("*")},
      {400, to("http://")},
      {400, to("http:///path")},
      {400, to("ftp://x/")},
      {400, to("x:443")},
      {400, "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n"},
      // The rest of the header.
      {400, "GET / HTTP/1.1\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
      {505, "GET / HTTP/2.0\r\nHost: x\r\n\r\n"},
      {505, "GET / HTTP/1.2\r\nHost: x\r\n\r\n"},
      {505, "GET / HTTP/0.9\r\nHost: x\r\n\r\n"},
      {505, "GET / http/1.1\r\nHost: x\r\n\r\n"},
      {505, "GET / HTTP/1.1 x\r\nHost: x\r\n\r\n"},
      {400, "GET /\r\n\r\n"},
      {505, "GET / a HTTP/1.1\r\nHost: x\r\n\r\n"},
      {400, "GET  / HTTP/1.1\r\nHost: x\r\n\r\n"},
      {400, " GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
      {400, "G(T / HTTP/1.1\r\nHost: x\r\n\r\n"},
      {400, std::string("GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", 29)},
      {400, std::string("GET / HTTP/1.1\r\nHost: x\0y\r\n\r\n", 30)},
      {400, "GET / HTTP/1.1\r\nHost: x\r\nbad name: y\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n"},
      {400, "GET / HTTP/1.1\r\nHost: x\r\na: b\rc: d\r\n\r\n"},
      {400, "\x16\x03\x01\x02"},
      {400, std::string(40, '\r') + "\n"},
      {400, "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"},
      {400, std::string("\0\0\0\0", 4)},
  };
  running_server server([](const std::shared_ptr<http::exchange>& exchange) { echo(exchange); });
  for (const auto& [status, request] : all) {
    INFO(request.substr(0, 200));
    auto client = server.connect();
    CHECK(client.send(request + get("/smuggled")));
    answer got = client.read_answer(3s);
    CHECK(got.status == status);
    CHECK(got.complete);
    CHECK(got.headers["connection"] == "close");
    CHECK(got.headers["x-request-id"].starts_with("req-"));
    CHECK(got.headers["content-type"] == "application/json");
    const auto error = nlohmann::json::parse(got.body, nullptr, false);
    CHECK((error.is_object() && error["error"]["message"].is_string() && error["error"]["code"].is_string()));
    CHECK(client.read_answer(5s).status == 0); // Nothing of what was behind it is taken for a request.
  }
  CHECK(server.facts().requests == 0);
  CHECK(server.facts().requests_refused == all.size());
}

TEST_CASE("unusual requests that are right are understood") {
  running_server server(echo);
  const auto body_of = [&](const std::string& request) {
    auto client = server.connect();
    CHECK(client.send(request));
    return client.read_answer().body;
  };
  CHECK(body_of(to("http://example.org/a?b")) == "GET /a b ");
  CHECK(body_of(to("HTTPS://example.org?b")) == "GET / b ");
  CHECK(body_of(to("http://example.org")) == "GET /  ");
  CHECK(body_of("\r\n" + to("/blank")) == "GET /blank  ");
  CHECK(body_of("PURGE /own HTTP/1.1\r\nHost: x\r\n\r\n") == "PURGE /own  ");
  CHECK(body_of("GET / HTTP/1.1\r\nhOsT:x\r\nEmpty:\r\n\r\n") == "GET /  ");
  CHECK(body_of(to("/%e2%82%ac/%2F")) == "GET /\xE2\x82\xAC//  ");
  CHECK(body_of(with_headers("transfer-encoding: Chunked\r\n", "1 ;a=b\r\nx\r\n000\r\n\r\n")) == "POST /  x");
  CHECK(body_of(with_headers("Content-Length: 0\r\n")) == "POST /  ");
  CHECK(body_of(with_headers("Content-Length: 0004\r\n", "abcd")) == "POST /  abcd");
}

TEST_CASE("the error's body can be replaced") {
  auto options = running_server::quick_options();
  options.error_body = [](int status, const std::string& code, const std::string& message, const std::string& path) {
    return std::to_string(status) + "|" + code + "|" + (message.empty() ? "" : "why") + "|" + path;
  };
  running_server server(echo, options);
  auto client = server.connect();
  REQUIRE(client.send("POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n"));
  CHECK(client.read_answer().body == "413|body_too_large|why|/v1/x");
}

TEST_CASE("two thousand damaged requests leave the server as it was") {
  // The client ends its sending, so that nobody waits for the rest of what is cut short.
  running_server server(echo);
  const std::vector<std::string> whole{
      get("/a/b?c=d", "Accept: */*\r\nX-Request-Id: abc\r\n"),
      post("/v1/completions", R"({"prompt":"hello","stream":true})", "Content-Type: application/json\r\nExpect: 100-continue\r\n"),
      in_chunks("5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nA: b\r\n\r\n"),
      "OPTIONS * HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
      get("/1") + get("/2") + post("/3", "x") + get("/4", "Connection: close\r\n"),
  };
  const std::vector<std::string> pieces{
      "\r\n", "\r\n\r\n", ":", " ", "%", ";", "\n", "\r", "\t", "0\r\n\r\n", "HTTP/1.1", "\xff\xfe", std::string(1, '\0'),
      "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", "Host: y\r\n", "ffffffffffffffff"};
  REQUIRE(server.facts().connections == 0);
  const size_t descriptors = open_descriptors(), threads_before = threads();
  size_t answers = 0, errors = 0;
  for (uint32_t seed = 0; seed < 2000; ++seed) {
    std::mt19937 draw(seed);
    const auto below = [&](size_t bound) { return static_cast<size_t>(draw() % bound); };
    std::string request = whole[below(whole.size())];
    for (size_t damages = 1 + below(4); damages > 0 && !request.empty(); --damages) {
      const size_t at = below(request.size());
      switch (below(6)) {
      case 0: request[at] = static_cast<char>(draw()); break;
      case 1: request.erase(at, 1 + below(20)); break;
      case 2: request.insert(at, pieces[below(pieces.size())]); break;
      case 3: request.insert(at, request.substr(below(request.size()), below(40))); break;
      case 4: request.resize(at); break;
      default: request[at] = static_cast<char>(request[at] ^ (1 << below(8)));
      }
    }
    INFO("seed " << seed);
    auto client = server.connect();
    for (size_t sent = 0; sent < request.size();) {
      const size_t bytes = below(3) == 0 ? 1 + below(request.size() - sent) : request.size() - sent;
      if (!client.send(std::string_view(request).substr(sent, bytes))) break;
      sent += bytes;
    }
    if (below(10) == 0) {
      client.reset();
      continue;
    }
    client.end_sending();
    // Whatever comes is an answer, each with its request id, and then the connection ends.
    for (;;) {
      const answer got = client.read_answer(5s);
      if (got.status == 0) break;
      if (got.status == 100) continue;
      ++answers;
      errors += got.status >= 400;
      REQUIRE(got.complete);
      REQUIRE(got.status < 500 + 6);
      REQUIRE(got.status != 500);
      REQUIRE(got.headers.count("x-request-id") == 1);
    }
    REQUIRE(client.received().empty());
    REQUIRE(client.ended_within(5s));
  }
  CHECK(answers > 1000);
  CHECK(errors > 300);
  CHECK(server.becomes([](const auto& facts) { return facts.connections == 0 && facts.body_bytes == 0; }));
  CHECK(open_descriptors() == descriptors);
  CHECK(threads() == threads_before);
}
