#pragma once
// A client of HTTP for commands that ask a running service: one request, one answer, one connection.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace troupe {

/// Where a server is.
struct server_url {
  bool is_secure = false; // https.
  std::string host;       // A name or an address; IPv6 without its brackets.
  uint16_t port = 80;
  std::string path;       // Before the path of every request: "/below", or empty.
  std::string text() const;
};

/// "http://127.0.0.1:8080", "https://[::1]/below". Throws input_error: another scheme, no host, a user, a query, a port that is none.
server_url parse_server_url(const std::string& text);

struct http_call {
  std::string method = "GET", path = "/"; // The path as it is sent: percent-encoded, with its '/'.
  std::string body = {};                  // JSON; empty: none.
  std::string key = {};                   // Sent as "Authorization: Bearer KEY", unless it is empty.
};

struct http_client_options {
  std::string authority_file = {}; // Certificates in PEM that https trusts; empty: those that the system trusts.
  std::chrono::milliseconds time_max{10'000}; // From the beginning to the last byte of the answer.
  size_t body_bytes_max = 4 << 20;            // Of the answer.
};

struct http_answer {
  int status = 0;
  std::string body;
};

/// There is no answer; what() says where it was looked for, and why: nobody listens there, the certificate is not trusted or is another
/// host's, time is up, the answer is too long or is no HTTP/1.1.
struct no_answer : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Whatever its status, the answer is returned; redirections are not followed, and nothing is sent twice. Blocks for time_max at most, or
/// for as long as the system takes to give up looking for a host's name, where that is longer. Throws no_answer; input_error for an
/// authority_file that is none.
http_answer call_server(const server_url& server, const http_call& call, const http_client_options& options = {});

} // namespace troupe
