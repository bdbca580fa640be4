#include "apps/service/http/connection.hpp"
#include "apps/service/http/listener.hpp"
#include "apps/service/http/server.hpp"
#include "apps/service/http/tls.hpp"
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <cerrno>
#include <csignal>
#include <map>
#include <unistd.h>

namespace troupe::http {
namespace {

constexpr size_t accepted_per_turn = 64; // Others are served in between.
constexpr size_t refusing_max = 64;      // Connections beyond connections_max that still get their 503.
constexpr std::chrono::milliseconds accept_pause{100};
constexpr std::chrono::seconds idle_before_eviction{1}; // The request of a new connection may be about to be read.

} // namespace

struct server_state {
  server_state(server_options options, handler answers) : core(std::move(options), std::move(answers)) {}

  struct later {
    explicit later(boost::asio::io_context& io) : clock(io) {}
    boost::asio::steady_timer clock;
    std::function<void()> f;
  };

  server_core core;
  std::string address;
  uint16_t port = 0;
  boost::asio::ip::tcp::acceptor acceptor{core.io};
  boost::asio::steady_timer pause{core.io};
  std::optional<boost::asio::signal_set> signals;
  std::map<uint64_t, later> timers;
  uint64_t timers_made = 0;

  void listen();
  void wait_for_connections();
  void accept_some();
  void admit(accepted_socket accepted);
  bool evict_idle();
  void wait_for_signal(std::shared_ptr<std::function<void(int)>> f);
  void end();
};

void server_state::listen() {
  const auto& options = core.options;
  if (!options.certificate_file.empty() || !options.key_file.empty()) core.tls = tls_context(options.certificate_file, options.key_file);
  const listening_socket listening = listen_on(options.host, options.port);
  using protocol = boost::asio::ip::tcp;
  boost::system::error_code error;
  acceptor.assign(listening.ipv6 ? protocol::v6() : protocol::v4(), listening.descriptor, error);
  if (error) {
    ::close(listening.descriptor);
    throw input_error("cannot listen on " + options.host + ": " + error.message());
  }
  port = listening.port;
  address = std::string(core.tls ? "https" : "http") + "://" + listening.address + ":" + std::to_string(port);
}

void server_state::wait_for_connections() {
  acceptor.async_wait(boost::asio::socket_base::wait_read, [this](const boost::system::error_code& error) {
    if (!error && acceptor.is_open()) accept_some();
  });
}

void server_state::accept_some() {
  for (size_t i = 0; i < accepted_per_turn; ++i) {
    accepted_socket accepted = accept_from(acceptor.native_handle());
    if (accepted.descriptor >= 0) {
      try {
        admit(std::move(accepted));
      } catch (const std::exception& failure) { // No memory. Accepting goes on.
        core.report(failure.what());
      }
      continue;
    }
    if (accepted.error == EAGAIN || accepted.error == EWOULDBLOCK) break;
    if (accepted.error == EMFILE || accepted.error == ENFILE || accepted.error == ENOBUFS || accepted.error == ENOMEM) {
      // The connection stays in the system's queue. Trying at once again would only spin.
      ++core.facts.accept_failures;
      pause.expires_after(accept_pause);
      pause.async_wait([this](const boost::system::error_code& error) {
        if (!error && acceptor.is_open()) wait_for_connections();
      });
      evict_idle();
      return;
    }
    // Else it is about that one connection, which is gone.
  }
  wait_for_connections();
}

void server_state::admit(accepted_socket accepted) {
  ++core.facts.connections_total;
  using protocol = boost::asio::ip::tcp;
  protocol::socket socket(core.io);
  boost::system::error_code error;
  const bool refused = core.open.size() >= core.options.connections_max && !evict_idle();
  if (refused) ++core.facts.connections_refused;
  const bool silently = refused && (core.tls || core.open.size() >= core.options.connections_max + refusing_max);
  if (!silently) socket.assign(accepted.ipv6 ? protocol::v6() : protocol::v4(), accepted.descriptor, error);
  if (silently || error) {
    ::close(accepted.descriptor);
    return;
  }
  const auto made = std::make_shared<connection>(core, std::move(socket), std::move(accepted.peer));
  core.open.emplace(made.get(), made);
  core.facts.connections = core.open.size();
  try {
    if (refused) {
      made->start_refusing();
    } else {
      made->start();
    }
  } catch (...) {
    made->close();
    throw;
  }
}

/// Closes the connection that has been idle longest; false if there is none.
bool server_state::evict_idle() {
  if (core.idle.empty() || !core.idle.front()->idle_for(idle_before_eviction)) return false;
  ++core.facts.connections_evicted;
  core.idle.front()->close();
  return true;
}

void server_state::wait_for_signal(std::shared_ptr<std::function<void(int)>> f) {
  signals->async_wait([this, f](const boost::system::error_code& error, int number) {
    if (error) return;
    wait_for_signal(f);
    (*f)(number);
  });
}

void server_state::end() {
  core.ended = true;
  boost::system::error_code ignored;
  acceptor.close(ignored);
  while (!core.open.empty()) core.open.begin()->second->close();
  timers.clear();
}

server::server(server_options options, handler answers) : state_(std::make_shared<server_state>(std::move(options), std::move(answers))) {
  state_->listen();
}

server::~server() { state_->end(); }

uint16_t server::port() const { return state_->port; }
std::string server::address() const { return state_->address; }

void server::run() {
  auto& io = state_->core.io;
  const auto work = boost::asio::make_work_guard(io);
  for (bool accepting = false;;) {
    try {
      if (!std::exchange(accepting, true)) state_->wait_for_connections();
      io.run();
      break;
    } catch (const std::exception& error) {
      state_->core.report(error.what());
    } catch (...) {
      state_->core.report("an unknown exception");
    }
  }
  state_->end();
}

void server::stop_accepting() {
  auto& core = state_->core;
  if (std::exchange(core.draining, true)) return;
  boost::system::error_code ignored;
  state_->acceptor.close(ignored);
  state_->pause.cancel();
  std::vector<std::shared_ptr<connection>> open;
  for (const auto& one : core.open) open.push_back(one.second);
  for (const auto& one : open) one->drain();
  if (open.empty()) stop();
}

void server::stop() { state_->core.io.stop(); }

void server::post(std::function<void()> f) { boost::asio::post(state_->core.io, std::move(f)); }

timer server::after(std::chrono::milliseconds delay, std::function<void()> f) {
  const uint64_t id = ++state_->timers_made;
  auto& later = state_->timers.try_emplace(id, state_->core.io).first->second;
  later.f = std::move(f);
  later.clock.expires_after(delay);
  later.clock.async_wait([state = state_.get(), id](const boost::system::error_code& error) {
    if (error) return;
    const auto found = state->timers.find(id);
    if (found == state->timers.end()) return; // Cancelled, after its time had come.
    const auto call = std::move(found->second.f);
    state->timers.erase(found);
    call();
  });
  return timer(state_, id);
}

void server::on_signal(std::function<void(int)> f) {
  if (state_->signals) state_->signals->cancel();
  state_->signals.emplace(state_->core.io, SIGINT, SIGTERM);
  state_->wait_for_signal(std::make_shared<std::function<void(int)>>(std::move(f)));
}

server_facts server::facts() const { return state_->core.facts; }

timer::timer(timer&& other) noexcept : of_(std::move(other.of_)), id_(std::exchange(other.id_, 0)) {}

timer& timer::operator=(timer&& other) noexcept {
  if (this == &other) return *this;
  cancel();
  of_ = std::move(other.of_);
  id_ = std::exchange(other.id_, 0);
  return *this;
}

void timer::cancel() {
  if (const auto state = of_.lock()) state->timers.erase(id_);
  of_.reset();
}

} // namespace troupe::http
