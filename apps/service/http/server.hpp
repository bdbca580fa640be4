#pragma once
// A server of HTTP/1.1, optionally over TLS.
//
// One thread does everything: the one that calls run(). Handlers, callbacks and timers are called there, one after the other, so
// nothing of them needs a lock, and none may wait for long. Other threads may call post() and stop() only.
//
// A connection carries one request at a time: what a client sends ahead waits, up to a few KiB, until the answer is complete.
// Hostile input ends in one error answer for whoever sent it: a body made by server_options::error_body, always with x-request-id.
#include "apps/service/http/exchange.hpp"
#include "apps/service/http/server_options.hpp"
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace troupe::http {

struct server_state;

/// Calls a function later, unless it is cancelled or destroyed before. May outlive its server.
class timer {
public:
  timer() = default;
  timer(timer&& other) noexcept;
  timer& operator=(timer&& other) noexcept;
  ~timer() { cancel(); }
  void cancel();

private:
  friend class server;
  timer(std::weak_ptr<server_state> of, uint64_t id) : of_(std::move(of)), id_(id) {}
  std::weak_ptr<server_state> of_;
  uint64_t id_ = 0;
};

class server {
public:
  /// Binds and listens; answers begin with run(). Throws input_error with the reason: the port is in use, the host is not of this
  /// machine, a certificate cannot be used.
  server(server_options options, handler answers);
  /// On the thread of run(), or after it has returned.
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  uint16_t port() const;
  /// "http://127.0.0.1:8080", "https://[::1]:8080"
  std::string address() const;

  /// Until stop(); or, after stop_accepting(), until the last connection has ended. Then all connections are closed, and exchanges
  /// that have no complete answer are told that the peer is gone. No exception leaves it. To be called once.
  void run();
  /// No new connections; idle ones are closed, the others after their present answer.
  void stop_accepting();
  /// From any thread. run() returns soon, whatever is under way.
  void stop();
  /// From any thread: calls `f` on the server's thread, in the order of the calls. What has not run when run() returns never will.
  void post(std::function<void()> f);
  /// Calls `f` once after `delay`, while the timer lives.
  [[nodiscard]] timer after(std::chrono::milliseconds delay, std::function<void()> f);
  /// Handles SIGINT and SIGTERM from now on, while the server lives, by calling `f` with the number on the server's thread.
  void on_signal(std::function<void(int)> f);
  server_facts facts() const;

private:
  std::shared_ptr<server_state> state_;
};

} // namespace troupe::http
