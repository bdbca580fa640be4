#pragma once
// One end of a TLS connection on a socket that does not block. Plain code: no actor.
#include "actors/cluster/keys.hpp"
#include <cstddef>
#include <memory>

struct ssl_st;

namespace troupe {

/// TLS 1.3 in which both ends show a certificate of the same authority. The socket is the caller's to close.
class tls_session {
public:
  enum class outcome { done, wait, failed }; // wait: for the socket, to become readable or writable.

  /// Reads the keys anew. Throws input_error when they cannot be used.
  tls_session(const node_keys& keys, int socket, bool is_server);
  tls_session(const tls_session&) = delete;
  tls_session& operator=(const tls_session&) = delete;
  ~tls_session();

  bool is_established() const { return is_established_; }
  /// To be called when the socket is readable, and once at first at the end that connected, until it is done. Fails where the other end
  /// shows no certificate of the authority, and where the socket takes no more: what a handshake says fits into its buffer.
  outcome handshake();
  /// Only when it is established. wait: nothing was read, or written.
  outcome read(void* buffer, size_t size, size_t& count);
  outcome write(const void* buffer, size_t size, size_t& count);
  /// Bytes that were received and can be read though the socket is not readable.
  size_t pending() const;

private:
  outcome verdict(int result, bool may_write);
  std::unique_ptr<ssl_st, void (*)(ssl_st*)> ssl_;
  bool is_server_ = false, is_established_ = false;
};

} // namespace troupe
