#include "actors/cluster/network.hpp"

#include "model/error.hpp"

#include <caf/io/all.hpp>
#include <caf/openssl/all.hpp>

#include <csignal>
#include <set>
#include <utility>

namespace troupe {

using namespace std::chrono_literals;

void configure_network(caf::actor_system_config& config, const node_keys& keys) {
  require_usable(keys);
  config.openssl_certificate = keys.certificate.string();
  config.openssl_key = keys.key.string();
  config.openssl_cafile = keys.authority.string();
  config.load<caf::io::middleman>();
  config.load<caf::openssl::manager>();
  // A connection without a sign of life is closed in the end. That a worker does not answer is noticed earlier, by its pulse.
  config.set("middleman.heartbeat-interval", caf::timespan{2s});
  config.set("middleman.connection-timeout", caf::timespan{20s});
  std::signal(SIGPIPE, SIG_IGN); // OpenSSL writes to sockets whose other end may have gone.
}

uint16_t publish(const worker_actor& worker, const std::string& host, uint16_t port) {
  const auto published = caf::openssl::publish(worker, port, host.empty() ? nullptr : host.c_str(), true);
  if (!published) throw input_error("cannot listen at " + host + ":" + std::to_string(port) + ": " + to_string(published.error()));
  return *published;
}

void connect(worker_link_actor::pointer self, const std::string& host, uint16_t port, std::function<void(const worker_actor&)> connected,
             std::function<void(const std::string& reason)> failed) {
  auto& manager = self->system().openssl_manager();
  self->request(manager.actor_handle(), 10s, caf::connect_atom::value, host, port)
    .then(
      [self, connected = std::move(connected), failed](const caf::node_id&, const caf::strong_actor_ptr& peer,
                                                       const std::set<std::string>& signatures) {
        if (!peer) return failed("nothing is published there");
        const auto wanted = self->system().message_types(caf::detail::type_list<worker_actor>{});
        for (const auto& signature : wanted)
          if (!signatures.contains(signature)) return failed("what listens there is no worker of this version");
        connected(caf::actor_cast<worker_actor>(peer));
      },
      [failed](const caf::error& error) { failed(to_string(error)); });
}

} // namespace troupe
