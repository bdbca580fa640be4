#pragma once
// One request and the way of its answer.
#include "apps/service/http/request.hpp"
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace troupe::http {

/// A whole answer. Date, Server, Content-Length, Connection and x-request-id are added. Names and values of headers without control
/// characters, or it is a broken_invariant.
struct response {
  int status = 200;
  std::string content_type = "application/json"; // Empty: no such header.
  std::string body;
  header_list headers;
};

/// Where an exchange writes to: a connection of the server, or what a test puts in its place.
class answer_sink {
public:
  virtual ~answer_sink() = default;
  virtual void respond(response&& answer) = 0;
  virtual void begin_stream(int status, const std::string& content_type, const header_list& headers) = 0;
  virtual void write(std::string_view piece) = 0;
  virtual size_t queued_bytes() const = 0;
  virtual void end_stream() = 0;
  virtual void body_taken() = 0;
  /// The exchange is destroyed before its answer was complete.
  virtual void dropped() = 0;
};

/// Shared by the handler and whoever makes the answer; used and destroyed on the server's thread only. The answer is one of
///   respond()
///   begin_stream(), write() as often as needed, end_stream()
/// and anything else a broken_invariant. Once the peer is gone all of these do nothing. If the last owner drops an exchange without
/// an answer, the server answers 500; if it does so in the middle of a stream, the connection is broken, which a client can tell
/// from a stream that has ended.
class exchange {
public:
  exchange(request asked, std::weak_ptr<answer_sink> to);
  ~exchange();
  exchange(const exchange&) = delete;
  exchange& operator=(const exchange&) = delete;

  const request& asked() const { return asked_; }
  /// The body, which asked() then lacks: for what outlives the handler, since bodies count as long as their exchanges live
  /// (server_options::bodies_bytes_max).
  std::string take_body();

  /// Headers of the answer, whatever it will be; before it begins.
  void add_header(std::string name, std::string value) { more_headers_.emplace_back(std::move(name), std::move(value)); }
  void respond(response answer);
  /// By chunked transfer encoding; for a client of HTTP/1.0 until the connection closes. What one turn of the server's thread writes
  /// goes out together.
  void begin_stream(int status, const std::string& content_type, const header_list& headers = {});
  /// Queued, if the peer does not read at once. When a piece comes while more than server_options::output_bytes_max are queued, the
  /// peer counts as gone.
  void write(std::string_view piece);
  /// How much write() has queued.
  size_t queued_bytes() const;
  void end_stream();

  /// Calls `f` once if, before the answer is complete, the peer closes or breaks the connection (also its sending half alone), reads
  /// too slowly, or the server ends. Never from within another call, except when the peer is gone already: then at once. It is
  /// dropped when the answer is complete.
  void on_gone(std::function<void()> f);
  bool gone() const;

  // For the sink.
  /// The answer is complete, in the hands of the operating system.
  void finish();
  /// From now on gone() is true; the function to call.
  std::function<void()> peer_gone();

private:
  enum class progress { none, streaming, answered };
  std::shared_ptr<answer_sink> sink() const; // Null once the peer is gone.

  request asked_;
  std::weak_ptr<answer_sink> to_;
  std::function<void()> on_gone_;
  header_list more_headers_;
  progress progress_ = progress::none;
  bool gone_ = false;
};

/// Called on the server's thread for each request. An http_error that it throws is answered with its status, any other input_error
/// with 400, anything else with 500, if no answer has begun.
using handler = std::function<void(std::shared_ptr<exchange>)>;

} // namespace troupe::http
