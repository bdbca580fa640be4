#include "actors/cluster/network.hpp"

#include "actors/cluster/tls_middleman.hpp"
#include "model/error.hpp"

#include <caf/io/all.hpp>

#include <csignal>
#include <set>
#include <utility>

namespace troupe {

using namespace std::chrono_literals;

namespace {

node_keys keys_of(const caf::actor_system& system) {
  const auto& config = system.config();
  return {config.openssl_certificate, config.openssl_key, config.openssl_cafile};
}

} // namespace

void configure_network(caf::actor_system_config& config, const node_keys& keys) {
  require_usable(keys);
  // CAF has a place for these names, though its own TLS is not used.
  config.openssl_certificate = keys.certificate.string();
  config.openssl_key = keys.key.string();
  config.openssl_cafile = keys.authority.string();
  config.load<caf::io::middleman>();
  // The network's thread reads messages itself. Else the threads of the actors would, and pings would wait behind whatever these compute.
  config.set("middleman.workers", size_t{0});
  // A connection without a sign of life is closed in the end. That a worker does not answer is noticed earlier, by its pulse.
  config.set("middleman.heartbeat-interval", caf::timespan{2s});
  config.set("middleman.connection-timeout", caf::timespan{20s});
  std::signal(SIGPIPE, SIG_IGN); // OpenSSL writes to sockets whose other end may have gone.
}

uint16_t publish(const worker_actor& worker, const std::string& host, uint16_t port) {
  auto& system = worker.home_system();
  uint16_t published = 0;
  std::string problem;
  caf::scoped_actor self{system};
  self->request(spawn_tls_middleman(system, keys_of(system)), caf::infinite, caf::publish_atom::value, port,
                caf::actor_cast<caf::strong_actor_ptr>(worker), system.message_types(worker), host, true)
    .receive([&](uint16_t number) { published = number; }, [&](const caf::error& error) { problem = to_string(error); });
  if (!problem.empty()) throw input_error("cannot listen at " + host + ":" + std::to_string(port) + ": " + problem);
  return published;
}

void connect(worker_link_actor::pointer self, const std::string& host, uint16_t port, std::function<void(const worker_actor&)> connected,
             std::function<void(const std::string& reason)> failed) {
  // One for each attempt: none waits for another that is connecting to a machine that does not answer.
  self->request(spawn_tls_middleman(self->system(), keys_of(self->system())), 10s, caf::connect_atom::value, host, port)
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
