#pragma once
// The listening socket. All descriptors are closed on exec and do not block.
#include <cstdint>
#include <string>

namespace troupe::http {

struct listening_socket {
  int descriptor = -1; // The caller's.
  bool ipv6 = false;
  std::string address; // "127.0.0.1", "[::1]"
  uint16_t port = 0;
};

/// Throws input_error with the reason.
listening_socket listen_on(const std::string& host, uint16_t port);

struct accepted_socket {
  int descriptor = -1; // The caller's. -1: none, see `error`.
  int error = 0;       // errno
  bool ipv6 = false;
  std::string peer; // "127.0.0.1:40000"
};

accepted_socket accept_from(int listening);

} // namespace troupe::http
