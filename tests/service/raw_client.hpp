#pragma once
// A client of HTTP that sends any bytes, and a server in a thread of its own.
#include "apps/service/http/server.hpp"
#include <atomic>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace troupe::testing {

using namespace std::chrono_literals;
using milliseconds = std::chrono::milliseconds;

struct answer {
  int status = 0; // 0: none came.
  std::map<std::string, std::string> headers; // Names in lower case.
  std::string body;
  bool complete = false; // By Content-Length, the last chunk, or the end of the connection.
};

/// Where bytes go to and come from: a socket, or TLS on it.
class byte_stream {
public:
  virtual ~byte_stream() = default;
  /// All of it; false if the server does not take it, or not before the time is over.
  virtual bool send(std::string_view bytes, milliseconds timeout = 10s) = 0;
  enum class outcome { bytes, end, broken, nothing };
  /// Appends what comes next.
  virtual outcome receive(std::string& to, milliseconds timeout) = 0;
};

class raw_client : public byte_stream {
public:
  /// receive_buffer: SO_RCVBUF, unless it is 0.
  explicit raw_client(uint16_t port, int receive_buffer = 0);
  /// A socket that is not connected yet.
  struct unconnected {};
  explicit raw_client(unconnected);
  raw_client(raw_client&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)), received_(std::move(other.received_)) {}
  ~raw_client() override { close(); }

  bool connect(uint16_t port);
  bool send(std::string_view bytes, milliseconds timeout = 10s) override;
  outcome receive(std::string& to, milliseconds timeout) override;
  void end_sending();
  void close();
  void reset(); // Ends the connection with RST.
  int descriptor() const { return descriptor_; }

  /// The next answer.
  answer read_answer(milliseconds timeout = 10s, bool head = false);
  /// Until so much of the answer has come.
  bool read_until(std::string_view text, milliseconds timeout = 10s);
  /// Whether the server ends the connection before the time is over; drops what still comes.
  bool ended_within(milliseconds timeout);
  const std::string& received() const { return received_; }

private:
  int descriptor_ = -1;
  std::string received_;
};

/// Takes an answer from the front of what is received on the stream.
answer read_answer_from(byte_stream& stream, std::string& received, milliseconds timeout, bool head = false);

std::string get(const std::string& path, const std::string& headers = "");
std::string post(const std::string& path, const std::string& body, const std::string& headers = "");

/// Runs until it is destroyed. Port 0 of the options is the default here.
class running_server {
public:
  explicit running_server(http::handler answers, http::server_options options = quick_options());
  ~running_server();
  raw_client connect(int receive_buffer = 0) const { return raw_client(port(), receive_buffer); }
  uint16_t port() const { return server_.port(); }
  http::server& operator*() { return server_; }
  http::server* operator->() { return &server_; }
  http::server_facts facts();
  /// Calls f on the server's thread and waits.
  void in_server(std::function<void()> f);
  /// Waits until it holds of the facts.
  bool becomes(const std::function<bool(const http::server_facts&)>& condition, milliseconds timeout = 10s);
  void join() { thread_.join(); }

  static http::server_options quick_options(); // Any port.

private:
  http::server server_;
  std::thread thread_;
};

/// Answers with method, path, query and body.
void echo(const std::shared_ptr<http::exchange>& exchange);

/// Of this process.
size_t open_descriptors();
size_t threads();
size_t resident_bytes();

} // namespace troupe::testing
