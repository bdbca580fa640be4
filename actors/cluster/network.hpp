#pragma once
// Links between processes: CAF's network layer with mutual TLS. What uses CAF's I/O headers is in network.cpp only.
#include "actors/cluster/keys.hpp"
#include "actors/interfaces/cluster_roles.hpp"
#include <caf/fwd.hpp>
#include <cstdint>
#include <functional>
#include <string>

namespace troupe {

/// Peers of another one do not understand each other. To be raised whenever a message of the path between coordinator and worker changes.
constexpr uint32_t cluster_protocol = 1;

/// To be called before the actor system is created, with the configuration that creates it: it gets the network layer. Every link of it
/// uses these keys, whichever side began it; the files are read anew for each. Throws input_error for keys that cannot be used.
void configure_network(caf::actor_system_config& config, const node_keys& keys);

/// Lets those connect to the worker who have a certificate of the same authority. Port 0: any free one. Returns the port. Throws
/// input_error, naming the address, when it cannot be had.
uint16_t publish(const worker_actor& worker, const std::string& host, uint16_t port);

/// Connects to the worker that is published there; one of the two is called, inside of `self`.
void connect(worker_link_actor::pointer self, const std::string& host, uint16_t port, std::function<void(const worker_actor&)> connected,
             std::function<void(const std::string& reason)> failed);

} // namespace troupe
