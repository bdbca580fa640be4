#include "actors/cluster/tls_middleman.hpp"

#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman_actor_impl.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/doorman_impl.hpp>
#include <caf/io/network/stream_impl.hpp>
#include <caf/openssl/session.hpp>
#include <openssl/err.h>

#include <utility>

namespace troupe {
namespace {

namespace network = caf::io::network;
using caf::openssl::session_ptr;

/// How a stream of CAF reads and writes: through a TLS session.
class tls_policy {
public:
  explicit tls_policy(session_ptr session) : session_(std::move(session)) {}

  network::rw_state read_some(size_t& result, network::native_socket socket, void* buffer, size_t size) {
    ERR_clear_error();
    return session_->read_some(result, socket, buffer, size);
  }
  network::rw_state write_some(size_t& result, network::native_socket socket, const void* buffer, size_t size) {
    ERR_clear_error();
    return session_->write_some(result, socket, buffer, size);
  }
  bool must_read_more(network::native_socket socket, size_t threshold) { return session_->must_read_more(socket, threshold); }

private:
  session_ptr session_;
};

/// A connection of a broker.
class tls_scribe : public caf::io::scribe {
public:
  tls_scribe(network::default_multiplexer& in, network::native_socket socket, session_ptr session)
    : scribe(network::conn_hdl_from_socket(socket)), stream_(in, socket, std::move(session)) {}

  void configure_read(caf::io::receive_policy::config config) override {
    stream_.configure_read(config);
    if (std::exchange(is_launched_, true)) return;
    stream_.start(this);
    stream_.force_empty_write(this); // The handshake may have to write before there is anything to send.
  }
  void ack_writes(bool enable) override { stream_.ack_writes(enable); }
  std::vector<char>& wr_buf() override { return stream_.wr_buf(); }
  std::vector<char>& rd_buf() override { return stream_.rd_buf(); }
  void flush() override { stream_.flush(this); }
  void graceful_shutdown() override {
    stream_.graceful_shutdown();
    detach(&stream_.backend(), false);
  }
  std::string addr() const override {
    const auto address = network::remote_addr_of_fd(stream_.fd());
    return address ? *address : "";
  }
  uint16_t port() const override {
    const auto number = network::remote_port_of_fd(stream_.fd());
    return number ? *number : 0;
  }
  void add_to_loop() override { stream_.activate(this); }
  void remove_from_loop() override { stream_.passivate(); }

private:
  network::stream_impl<tls_policy> stream_;
  bool is_launched_ = false;
};

/// What accepts connections for a broker.
class tls_doorman : public network::doorman_impl {
public:
  using network::doorman_impl::doorman_impl;

  bool new_connection() override {
    if (detached()) return false; // It was closed while this connection came.
    auto& loop = acceptor_.backend();
    const auto socket = acceptor_.accepted_socket();
    ERR_clear_error();
    auto session = caf::openssl::make_session(parent()->system(), socket, true);
    if (!session) {
      network::close_socket(socket);
      return false;
    }
    auto scribe = caf::make_counted<tls_scribe>(loop, socket, std::move(session));
    const auto handle = scribe->hdl();
    parent()->add_scribe(std::move(scribe));
    return doorman::new_connection(&loop, handle);
  }
};

class tls_middleman : public caf::io::middleman_actor_impl {
public:
  using caf::io::middleman_actor_impl::middleman_actor_impl;
  const char* name() const override { return "tls_middleman"; }

protected:
  caf::expected<caf::io::scribe_ptr> connect(const std::string& host, uint16_t port) override {
    auto socket = network::new_tcp_connection(host, port);
    if (!socket) return std::move(socket.error());
    network::nonblocking(*socket, true);
    ERR_clear_error();
    auto session = caf::openssl::make_session(system(), *socket, false);
    if (!session) {
      network::close_socket(*socket);
      return caf::sec::cannot_connect_to_node;
    }
    return caf::make_counted<tls_scribe>(loop(), *socket, std::move(session));
  }
  caf::expected<caf::io::doorman_ptr> open(uint16_t port, const char* address, bool reuse) override {
    auto socket = network::new_tcp_acceptor_impl(port, address, reuse);
    if (!socket) return std::move(socket.error());
    return caf::make_counted<tls_doorman>(loop(), *socket);
  }

private:
  network::default_multiplexer& loop() { return static_cast<network::default_multiplexer&>(system().middleman().backend()); }
};

} // namespace

caf::io::middleman_actor spawn_tls_middleman(caf::actor_system& system) {
  auto broker = system.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP"));
  return caf::actor_cast<caf::io::middleman_actor>(system.spawn<tls_middleman, caf::detached + caf::hidden>(std::move(broker)));
}

} // namespace troupe
