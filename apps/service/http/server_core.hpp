#pragma once
// What the connections of a server share. Only the server's thread uses it.
#include <utility>
#include "apps/service/http/exchange.hpp"
#include "apps/service/http/server_options.hpp"
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <list>
#include <optional>
#include <random>
#include <unordered_map>

namespace troupe::http {

class connection;

struct server_core {
  server_core(server_options options_, handler answers_);

  const server_options options;
  const handler answers;
  boost::asio::io_context io{1}; // One thread runs it.
  std::optional<boost::asio::ssl::context> tls;
  std::unordered_map<connection*, std::shared_ptr<connection>> open;
  std::list<connection*> idle; // Those that wait for a request, the longest first.
  server_facts facts;
  bool draining = false; // No new connections, one request more at most for the open ones.
  bool ended = false;    // run() has returned or is about to.

  /// "req-" and 16 hexadecimal digits.
  std::string fresh_request_id();
  std::string error_body(int status, const std::string& code, const std::string& message, const std::string& path) const;
  void report(const std::string& what) const; // An exception, to options.on_exception.
  /// A connection has closed.
  void forget(connection* closed);

private:
  std::mt19937_64 ids_;
};

} // namespace troupe::http
