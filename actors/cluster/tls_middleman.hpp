#pragma once
#include <caf/io/middleman_actor.hpp>

namespace troupe {

/// CAF's own middleman for links with TLS, with one difference: before each use of a connection the thread's queue of OpenSSL errors is
/// emptied. CAF 0.17 leaves errors of one connection there, and then takes them for errors of the next one: with OpenSSL 3 one peer that
/// dies, or one that sends bytes that are no TLS, ends all other links of the process.
///
/// It has a thread of its own, which connecting blocks. It ends when nobody has its handle.
caf::io::middleman_actor spawn_tls_middleman(caf::actor_system& system);

} // namespace troupe
