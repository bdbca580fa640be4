// Goal: a client of HTTP gets whole answers, and one clear error for whatever else a server does.
#include "apps/http_client/http_client.hpp"
#include "model/error.hpp"
#include "raw_client.hpp"
#include "support/catch.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace troupe;
using namespace troupe::testing;

namespace {

server_url at(uint16_t port) { return {.is_secure = false, .host = "127.0.0.1", .port = port, .path = ""}; }

std::string failure(const server_url& server, const http_call& call, const http_client_options& options = {}) {
  try {
    return "status " + std::to_string(call_server(server, call, options).status);
  } catch (const no_answer& error) {
    return error.what();
  }
}

/// Listens, says these bytes to the first who comes, and closes; says nothing while there are none.
class odd_server {
public:
  explicit odd_server(std::string bytes = "") : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof here;
    REQUIRE(bind(socket_, reinterpret_cast<const sockaddr*>(&here), size) == 0);
    REQUIRE(listen(socket_, 1) == 0);
    REQUIRE(getsockname(socket_, reinterpret_cast<sockaddr*>(&here), &size) == 0);
    port_ = ntohs(here.sin_port);
    if (bytes.empty()) return;
    thread_ = std::thread([this, bytes] {
      const int peer = accept(socket_, nullptr, nullptr);
      char asked[4096];
      (void) !read(peer, asked, sizeof asked);
      (void) !write(peer, bytes.data(), bytes.size());
      close(peer);
    });
  }
  ~odd_server() {
    if (thread_.joinable()) thread_.join();
    close(socket_);
  }
  uint16_t port() const { return port_; }

private:
  int socket_;
  uint16_t port_ = 0;
  std::thread thread_;
};

} // namespace

TEST_CASE("a call and its answer arrive whole, whatever the status", "[http_client]") {
  running_server server([](const std::shared_ptr<http::exchange>& exchange) {
    const auto& asked = exchange->asked();
    const std::string seen = asked.method + " " + asked.path + " " + asked.query + " " + std::string(asked.header("authorization")) + " "
                             + std::string(asked.header("content-type")) + " " + std::string(asked.header("host")) + " " + asked.body;
    if (asked.path == "/stream") {
      exchange->begin_stream(200, "text/plain");
      for (int i = 0; i < 3; ++i) exchange->write("piece ");
      return exchange->end_stream();
    }
    exchange->respond({asked.path == "/wrong" ? 404 : 200, "text/plain", seen, {}});
  });
  const std::string here = "127.0.0.1:" + std::to_string(server.port());
  auto answer = call_server(at(server.port()), {.method = "POST", .path = "/a?b=c", .body = "{}", .key = "secret"});
  CHECK(answer.status == 200);
  CHECK(answer.body == "POST /a b=c Bearer secret application/json " + here + " {}");
  answer = call_server(at(server.port()), {.path = "/wrong"});
  CHECK(answer.status == 404);
  CHECK(answer.body == "GET /wrong    " + here + " ");
  CHECK(call_server(at(server.port()), {.path = "/stream"}).body == "piece piece piece ");
  auto below = at(server.port());
  below.path = "/below";
  CHECK(call_server(below, {.path = "/a"}).body.starts_with("GET /below/a "));
  below.host = "localhost";
  CHECK(call_server(below, {.path = "/a"}).status == 200);
}

TEST_CASE("an answer that is too long is refused, in one piece or in many", "[http_client]") {
  running_server server([](const std::shared_ptr<http::exchange>& exchange) {
    if (exchange->asked().path == "/whole") return exchange->respond({200, "text/plain", std::string(1001, 'x'), {}});
    exchange->begin_stream(200, "text/plain");
    for (int i = 0; i < 1001; ++i) exchange->write("x");
    exchange->end_stream();
  });
  for (const char* path : {"/whole", "/pieces"}) {
    CHECK_THAT(failure(at(server.port()), {.path = path}, {.body_bytes_max = 1000}), ContainsSubstring("longer than 1000 bytes"));
    CHECK(call_server(at(server.port()), {.path = path}, {.body_bytes_max = 1001}).body.size() == 1001);
  }
}

TEST_CASE("a server that says nothing, or never comes to an end, is waited for until time is up", "[http_client]") {
  odd_server silent;
  std::shared_ptr<http::exchange> kept; // Of the server's thread.
  running_server slow([&kept](const std::shared_ptr<http::exchange>& exchange) {
    kept = exchange;
    exchange->begin_stream(200, "text/plain");
    exchange->write("x");
  });
  for (const uint16_t port : {silent.port(), slow.port()})
    for (const bool is_secure : {false, true}) {
      auto server = at(port);
      server.is_secure = is_secure;
      if (is_secure && port == slow.port()) continue; // It answers that this is no HTTP.
      const auto began = std::chrono::steady_clock::now();
      CHECK_THAT(failure(server, {}, {.time_max = 200ms}), ContainsSubstring("not within 200 ms") && ContainsSubstring(server.text()));
      const auto took = std::chrono::steady_clock::now() - began;
      CHECK(took >= 200ms);
      CHECK(took < 5s);
    }
  slow.in_server([&kept] { kept = nullptr; });
}

TEST_CASE("what is no answer is one error that names the server", "[http_client]") {
  uint16_t nobody = 0;
  {
    odd_server gone;
    nobody = gone.port();
  }
  CHECK_THAT(failure(at(nobody), {}), ContainsSubstring("no server at " + at(nobody).text() + ": Connection refused"));
  auto nowhere = at(80);
  nowhere.host = "no-such-host.invalid";
  CHECK_THAT(failure(nowhere, {}), ContainsSubstring("no server at http://no-such-host.invalid"));
  const std::string short_body = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort";
  for (const std::string& bytes : {std::string("SSH-2.0-OpenSSH_9.2\r\n"), short_body, std::string("HTTP/1.1 200 OK\r\n")}) {
    INFO(bytes);
    odd_server odd(bytes);
    CHECK_THAT(failure(at(odd.port()), {}), ContainsSubstring("no answer from " + at(odd.port()).text() + ": "));
  }
  odd_server many("HTTP/1.1 200 OK\r\nx: " + std::string(1 << 20, 'x'));
  CHECK_THAT(failure(at(many.port()), {}), ContainsSubstring("no answer from"));
  odd_server plain("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
  auto secure = at(plain.port());
  secure.is_secure = true;
  CHECK_THAT(failure(secure, {}), ContainsSubstring("no connection that can be trusted to " + secure.text() + ": "));
}

TEST_CASE("a redirection is an answer like others", "[http_client]") {
  odd_server moved("HTTP/1.1 302 Found\r\nlocation: http://192.0.2.1/\r\ncontent-length: 0\r\n\r\n");
  CHECK(call_server(at(moved.port()), {}).status == 302);
}

TEST_CASE("addresses of servers are taken apart, and those that are none are refused", "[http_client]") {
  const auto text = [](const std::string& from) { return parse_server_url(from).text(); };
  for (const char* same : {"http://127.0.0.1:8080", "https://models.example", "http://[::1]:8080", "https://a_b.example:8443/below/here"})
    CHECK(text(same) == same);
  CHECK(text("http://x:80/") == "http://x");
  CHECK(text("https://x:443/a//") == "https://x/a");
  CHECK(parse_server_url("https://x").port == 443);
  CHECK(parse_server_url("http://[::1]:9").host == "::1");
  for (const char* wrong :
       {"", "x", "127.0.0.1:8080", "ftp://x", "http://", "http:///a", "http://:80", "http://x:", "http://x:0", "http://x:65536",
        "http://x:8080x", "http://user@x", "http://user:1@x", "http://x?a", "http://x/a?b", "http://x/a#b", "http://x/a b",
        "http://x\r\ny", "http://x/\r\ny: z", "http://[::1", "http://[]", "http://[::1]8080", "http://[x@y]:1", "http://x y"}) {
    INFO(wrong);
    CHECK_THROWS_AS(parse_server_url(wrong), input_error);
  }
}
