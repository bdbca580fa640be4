#pragma once
#include "actors/cluster/keys.hpp"
#include <caf/io/middleman_actor.hpp>

namespace troupe {

/// A middleman of CAF whose connections are TLS sessions with these keys (tls_session.hpp), for the system's BASP broker, as that of
/// caf::openssl is. That one cannot be used. In CAF 0.17.6 with OpenSSL 3 it leaves the errors of one connection in a queue of the
/// thread, and takes them for errors of the next one: a peer that dies, or bytes that are no TLS, end all other links of the process.
/// And as long as a peer has not finished its handshake the network's thread turns in circles at full speed: one connection that says
/// nothing costs a processor.
///
/// Of connections that have not finished their handshake it keeps the newest 256, each for at most ten seconds once others come.
///
/// It has a thread of its own, which connecting blocks. It ends when nobody has its handle; what it has opened stays open.
caf::io::middleman_actor spawn_tls_middleman(caf::actor_system& system, const node_keys& keys);

} // namespace troupe
