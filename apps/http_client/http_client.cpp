#include "apps/http_client/http_client.hpp"

#include "model/error.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <algorithm>
#include <charconv>
#include <optional>

namespace troupe {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;

constexpr uint32_t header_bytes_max = 16 << 10;

std::string host_of(const server_url& server) { return server.host.find(':') == std::string::npos ? server.host : "[" + server.host + "]"; }

uint16_t usual_port(const server_url& server) { return server.is_secure ? 443 : 80; }

std::string host_and_port(const server_url& server) {
  return host_of(server) + (server.port == usual_port(server) ? "" : ":" + std::to_string(server.port));
}

bool are_all(std::string_view text, std::string_view more) {
  return std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || more.find(c) != std::string_view::npos;
  });
}

/// One call: its steps, and the time that is left for all of them.
class running_call {
public:
  running_call(const server_url& server, const http_client_options& options)
    : server_(server), options_(options), deadline_(std::chrono::steady_clock::now() + options.time_max) {}

  http_answer run(const http_call& call) {
    connect();
    if (!server_.is_secure) return exchange(socket_, call);
    auto context = trust();
    asio::ssl::stream<tcp::socket&> tls(socket_, context);
    shake_hands(tls);
    return exchange(tls, call);
  }

private:
  [[noreturn]] void fail(const std::string& what, const std::string& why) const {
    throw no_answer(what + " " + server_.text() + ": " + why);
  }

  /// Starts an operation and waits for its end.
  template <class Start> error_code finish(Start start) {
    std::optional<error_code> ended;
    start([&ended](error_code error, const auto&...) { ended = error; });
    io_.restart();
    io_.run_until(deadline_);
    if (ended) return *ended;
    error_code ignored;
    socket_.close(ignored); // So that what is under way ends while what it uses is there.
    io_.restart();
    io_.poll();
    fail("no answer from", "not within " + std::to_string(options_.time_max.count()) + " ms");
  }

  void connect() {
    tcp::resolver resolver(io_);
    tcp::resolver::results_type found;
    error_code error = finish([&](auto done) {
      const auto take = [&found, done](error_code problem, const tcp::resolver::results_type& all) {
        found = all;
        done(problem);
      };
      resolver.async_resolve(server_.host, std::to_string(server_.port), take);
    });
    if (error) fail("no server at", error.message());
    error = finish([&](auto done) { asio::async_connect(socket_, found, done); });
    if (error) fail("no server at", error.message());
  }

  asio::ssl::context trust() const {
    asio::ssl::context context(asio::ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
    context.set_verify_mode(asio::ssl::verify_peer);
    error_code error;
    if (options_.authority_file.empty()) context.set_default_verify_paths(error);
    else context.load_verify_file(options_.authority_file, error);
    if (!error) return context;
    const std::string what = options_.authority_file.empty() ? "the certificates that the system trusts" : options_.authority_file;
    throw input_error(what + ": no certificates in PEM format: " + error.message());
  }

  void shake_hands(asio::ssl::stream<tcp::socket&>& tls) {
    error_code is_name;
    asio::ip::make_address(server_.host, is_name);
    if (is_name) SSL_set_tlsext_host_name(tls.native_handle(), server_.host.c_str());
    // Of a name or an address alike. Where it cannot be asked for, the connection must not be made.
    if (SSL_set1_host(tls.native_handle(), server_.host.c_str()) != 1) throw std::bad_alloc();
    const auto error = finish([&](auto done) { tls.async_handshake(asio::ssl::stream_base::client, done); });
    if (!error) return;
    const long verified = SSL_get_verify_result(tls.native_handle());
    fail("no connection that can be trusted to", verified == X509_V_OK ? error.message() : X509_verify_cert_error_string(verified));
  }

  template <class Stream> http_answer exchange(Stream& stream, const http_call& call) {
    namespace http = beast::http;
    http::request<http::string_body> request;
    request.version(11);
    request.method_string(call.method);
    request.target(server_.path + call.path);
    request.set(http::field::host, host_and_port(server_));
    request.set(http::field::accept, "application/json");
    request.set(http::field::connection, "close");
    if (!call.key.empty()) request.set(http::field::authorization, "Bearer " + call.key);
    if (!call.body.empty()) request.set(http::field::content_type, "application/json");
    request.body() = call.body;
    request.prepare_payload();
    // A server that refuses may answer, and close, before it has read all: what it says counts.
    const auto unsent = finish([&](auto done) { http::async_write(stream, request, done); });

    beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.header_limit(header_bytes_max);
    parser.body_limit(options_.body_bytes_max);
    auto error = finish([&](auto done) { http::async_read_header(stream, buffer, parser, done); });
    // Boost 1.74 itself looks at the limit only where the length was not said before.
    if (parser.content_length().value_or(0) > options_.body_bytes_max) error = http::error::body_limit;
    if (!error) error = finish([&](auto done) { http::async_read(stream, buffer, parser, done); });
    if (error == http::error::body_limit) fail("no answer from", "it is longer than " + std::to_string(options_.body_bytes_max) + " bytes");
    if (error) fail("no answer from", (unsent ? unsent : error).message());
    return {int(parser.get().result_int()), std::move(parser.get().body())};
  }

  const server_url& server_;
  const http_client_options& options_;
  const std::chrono::steady_clock::time_point deadline_;
  asio::io_context io_{1};
  tcp::socket socket_{io_};
};

} // namespace

std::string server_url::text() const { return (is_secure ? "https://" : "http://") + host_and_port(*this) + path; }

server_url parse_server_url(const std::string& text) {
  const auto refuse = [&](const std::string& why) { throw input_error("\"" + text + "\" is no address of a server: " + why); };
  server_url url;
  url.is_secure = text.starts_with("https://");
  if (!url.is_secure && !text.starts_with("http://")) refuse("it begins with http:// or https://");
  std::string rest = text.substr(url.is_secure ? 8 : 7);
  const auto slash = std::min(rest.find('/'), rest.size());
  url.path = rest.substr(slash);
  rest.resize(slash);
  while (url.path.ends_with('/')) url.path.pop_back();
  if (!are_all(url.path, "/-._~%!$&'()*+,;=:@")) refuse("its path has a character that cannot be there");

  const bool is_bracketed = rest.starts_with('[');
  const auto end = is_bracketed ? rest.find(']') : std::min(rest.find(':'), rest.size());
  if (end == std::string::npos) refuse("a bracket is not closed");
  url.host = is_bracketed ? rest.substr(1, end - 1) : rest.substr(0, end);
  if (url.host.empty() || !are_all(url.host, is_bracketed ? ":." : "-._")) refuse("it has no host");
  const std::string port = rest.substr(is_bracketed ? end + 1 : end);
  url.port = usual_port(url);
  if (port.empty()) return url;
  const auto [behind, error] = std::from_chars(port.data() + 1, port.data() + port.size(), url.port);
  if (port.front() != ':' || port.size() == 1 || error != std::errc() || behind != port.data() + port.size() || url.port == 0)
    refuse("a port is a number from 1 to 65535");
  return url;
}

http_answer call_server(const server_url& server, const http_call& call, const http_client_options& options) {
  return running_call(server, options).run(call);
}

} // namespace troupe
