#include "actors/cluster/tls_middleman.hpp"

#include "actors/cluster/tls_session.hpp"

#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman_actor_impl.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/doorman_impl.hpp>
#include <caf/io/network/stream_impl.hpp>

#include <chrono>
#include <deque>
#include <sys/socket.h>
#include <utility>

namespace troupe {
namespace {

namespace network = caf::io::network;
using outcome = tls_session::outcome;

network::rw_state to_state(outcome result) {
  // Nothing and no failure: until the socket is ready again.
  return result == outcome::failed ? network::rw_state::failure : network::rw_state::success;
}

/// How a stream of CAF reads and writes.
class tls_policy {
public:
  tls_policy(std::shared_ptr<tls_session> session, std::function<void()> established)
    : session_(std::move(session)), established_(std::move(established)) {}

  network::rw_state read_some(size_t& count, network::native_socket, void* buffer, size_t size) {
    count = 0;
    if (!session_->is_established()) {
      const auto shaken = session_->handshake();
      if (shaken != outcome::done) return to_state(shaken);
      established_();
    }
    return to_state(session_->read(buffer, size, count));
  }
  network::rw_state write_some(size_t& count, network::native_socket, const void* buffer, size_t size) {
    return to_state(session_->write(buffer, size, count));
  }
  bool must_read_more(network::native_socket, size_t threshold) { return session_->pending() >= std::max<size_t>(threshold, 1); }

private:
  std::shared_ptr<tls_session> session_;
  std::function<void()> established_;
};

/// A connection of a broker. What is to be sent waits until the session is established: a socket that can be written to, while there is
/// nothing to write, would keep the network's thread busy.
class tls_scribe : public caf::io::scribe {
public:
  tls_scribe(network::default_multiplexer& in, network::native_socket socket, std::shared_ptr<tls_session> session)
    : scribe(network::conn_hdl_from_socket(socket)), session_(session), stream_(in, socket, std::move(session), [this] { flush(); }) {}

  void configure_read(caf::io::receive_policy::config config) override {
    stream_.configure_read(config);
    if (!std::exchange(is_launched_, true)) stream_.start(this);
  }
  void ack_writes(bool enable) override { stream_.ack_writes(enable); }
  std::vector<char>& wr_buf() override { return stream_.wr_buf(); }
  std::vector<char>& rd_buf() override { return stream_.rd_buf(); }
  void flush() override {
    if (session_->is_established()) stream_.flush(this);
  }
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
  std::shared_ptr<tls_session> session_;
  network::stream_impl<tls_policy> stream_;
  bool is_launched_ = false;
};

/// What accepts connections for a broker.
class tls_doorman : public network::doorman_impl {
public:
  tls_doorman(network::default_multiplexer& in, network::native_socket socket, node_keys keys)
    : network::doorman_impl(in, socket), keys_(std::move(keys)) {}

  bool new_connection() override {
    if (detached()) return false; // It was closed while this connection came.
    auto& loop = acceptor_.backend();
    const auto socket = acceptor_.accepted_socket();
    std::shared_ptr<tls_session> session;
    try {
      session = std::make_shared<tls_session>(keys_, socket, true);
    } catch (const std::exception&) { // The keys are being renewed, or there is no memory. It may come again.
      network::close_socket(socket);
      return true;
    }
    end_overdue();
    unfinished_.push_back({session, socket, clock::now()});
    auto scribe = caf::make_counted<tls_scribe>(loop, socket, std::move(session));
    const auto handle = scribe->hdl();
    parent()->add_scribe(std::move(scribe));
    return doorman::new_connection(&loop, handle);
  }

private:
  using clock = std::chrono::steady_clock;
  struct connection {
    std::weak_ptr<tls_session> session; // As long as it is there, so is the socket.
    network::native_socket socket;
    clock::time_point since;
  };

  /// Closes those whose handshake takes too long. The loop then finds them closed, as if the other end had done it.
  void end_overdue() {
    constexpr size_t unfinished_max = 256;
    const auto is_over = [](const connection& one) {
      const auto session = one.session.lock();
      return !session || session->is_established();
    };
    std::erase_if(unfinished_, is_over);
    while (!unfinished_.empty() &&
           (unfinished_.size() >= unfinished_max || clock::now() - unfinished_.front().since > std::chrono::seconds(10))) {
      shutdown(unfinished_.front().socket, SHUT_RDWR);
      unfinished_.pop_front();
    }
  }

  const node_keys keys_;
  std::deque<connection> unfinished_; // The oldest first.
};

class tls_middleman : public caf::io::middleman_actor_impl {
public:
  tls_middleman(caf::actor_config& config, caf::actor broker, node_keys keys)
    : caf::io::middleman_actor_impl(config, std::move(broker)), keys_(std::move(keys)) {}
  const char* name() const override { return "tls_middleman"; }

protected:
  caf::expected<caf::io::scribe_ptr> connect(const std::string& host, uint16_t port) override {
    auto socket = network::new_tcp_connection(host, port);
    if (!socket) return std::move(socket.error());
    network::nonblocking(*socket, true);
    try {
      auto session = std::make_shared<tls_session>(keys_, *socket, false);
      if (session->handshake() == outcome::failed) throw std::runtime_error("the connection was closed");
      return caf::make_counted<tls_scribe>(loop(), *socket, std::move(session));
    } catch (const std::exception& error) {
      network::close_socket(*socket);
      return caf::make_error(caf::sec::cannot_connect_to_node, std::string(error.what()));
    }
  }
  caf::expected<caf::io::doorman_ptr> open(uint16_t port, const char* address, bool reuse) override {
    auto socket = network::new_tcp_acceptor_impl(port, address, reuse);
    if (!socket) return std::move(socket.error());
    return caf::make_counted<tls_doorman>(loop(), *socket, keys_);
  }

private:
  network::default_multiplexer& loop() { return static_cast<network::default_multiplexer&>(system().middleman().backend()); }
  const node_keys keys_;
};

} // namespace

caf::io::middleman_actor spawn_tls_middleman(caf::actor_system& system, const node_keys& keys) {
  auto broker = system.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP"));
  return caf::actor_cast<caf::io::middleman_actor>(system.spawn<tls_middleman, caf::detached + caf::hidden>(std::move(broker), keys));
}

} // namespace troupe
