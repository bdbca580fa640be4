#pragma once
// What a server of HTTP is told, and what it tells.
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace troupe::http {

struct request;

/// A request whose answer is complete or will never be; for an access log.
struct finished_request {
  std::string method, path, id; // Method and path as far as they are known: empty for what could not be read.
  std::string peer;             // The client's address and port.
  int status = 0;               // 0: the client was gone before an answer began.
  uint64_t bytes = 0;           // Of the answer's body, as handed to the operating system or still queued.
  std::chrono::microseconds duration{0}; // Since the first byte of the request.
  bool complete = false;        // All of the answer is in the hands of the operating system.
};

struct server_options {
  std::string host = "127.0.0.1"; // A name or an address of this machine; "0.0.0.0" or "::" for all.
  uint16_t port = 8080;           // 0: any that is free.
  // Files in PEM format: the certificate with those that lead to its authority, and its private key. Both or neither.
  std::string certificate_file, key_file;

  size_t header_bytes_max = 16 << 10; // More: 431.
  size_t header_count_max = 100;      // More: 431.
  size_t body_bytes_max = 16 << 20;   // More: 413, before it is read.
  size_t bodies_bytes_max = 256 << 20; // Of all requests that have not been answered. More: 503.
  /// At that number the connection that has been idle longest is closed for a new one; if none has been idle for a second, the new
  /// one gets 503. Each needs a descriptor: see RLIMIT_NOFILE. While there are none left, accepting pauses.
  size_t connections_max = 2048;
  size_t output_bytes_max = 1 << 20; // See exchange::write.

  std::chrono::milliseconds handshake_time{10'000}; // Of TLS.
  std::chrono::milliseconds header_time{10'000};    // From the first byte of a request to the end of its header. Longer: 408.
  std::chrono::milliseconds idle_time{75'000};      // Until the first byte of a request.
  /// A body must have come, and queued output must have gone, after transfer_time and a second more for each transfer_rate_min
  /// bytes. Else 408, or the peer counts as gone.
  std::chrono::milliseconds transfer_time{30'000};
  size_t transfer_rate_min = 8 << 10;
  /// How long a connection that the server closes still takes what the client sends, so that the client can read the answer first.
  std::chrono::milliseconds closing_time{2'000};

  /// The body of an error that the server itself answers with: application/json. `path` is empty if it is not known. Default:
  /// default_error_body.
  std::function<std::string(int status, const std::string& code, const std::string& message, const std::string& path)> error_body;
  /// Called with each request before its body is read, which asked.body then lacks. Throws http_error to refuse it. Null: none is.
  std::function<void(const request& asked)> check_head;
  /// Called for each request after its answer.
  std::function<void(const finished_request&)> log;
  /// An exception that is no input_error left a handler or a callback (what() of it). The server goes on.
  std::function<void(const std::string&)> on_exception;
};

/// {"error":{"message":...,"type":"invalid_request_error" (from 500 on "server_error"),"param":null,"code":...}}
std::string default_error_body(int status, const std::string& code, const std::string& message, const std::string& path);

struct server_facts {
  size_t connections = 0;           // Open now.
  uint64_t connections_total = 0;   // Accepted, also those that were refused then.
  uint64_t connections_refused = 0; // With 503, because there were too many.
  uint64_t connections_evicted = 0; // Idle ones, closed for new ones.
  uint64_t accept_failures = 0;     // Pauses because of no descriptors or memory.
  uint64_t requests = 0;            // Handed to the handler.
  uint64_t requests_refused = 0;    // Answered by the server itself with an error before a handler saw them.
  uint64_t requests_gone = 0;       // Handed to the handler, but the peer was gone before the answer was complete.
  uint64_t bytes_received = 0, bytes_sent = 0; // Without what TLS adds.
  size_t body_bytes = 0;            // Held for requests that have not been answered.
};

} // namespace troupe::http
