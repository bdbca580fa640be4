#include "apps/service/http/listener.hpp"
#include "model/error.hpp"
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::http {
namespace {

/// "127.0.0.1" or "[::1]", and the port.
std::pair<std::string, uint16_t> numeric(const sockaddr* address, socklen_t size) {
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  ::getnameinfo(address, size, host.data(), host.size(), port.data(), port.size(), NI_NUMERICHOST | NI_NUMERICSERV);
  std::string text = host.data();
  if (address->sa_family == AF_INET6) text = "[" + text + "]";
  return {text, static_cast<uint16_t>(std::atoi(port.data()))};
}

void set(int descriptor, int level, int name, int value) { ::setsockopt(descriptor, level, name, &value, sizeof value); }

/// Sockets that are accepted have these, too.
void set_options(int descriptor, bool ipv6) {
  set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
  if (ipv6) set(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  set(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  // A peer whose machine is gone is noticed within about a minute, also while nothing is sent.
  set(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(descriptor, IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, 60'000);
  // Else the system takes megabytes for a peer that does not read, before anyone notices.
  set(descriptor, SOL_SOCKET, SO_SNDBUF, 128 << 10);
}

std::string reason_of(int error) {
  switch (error) {
  case EADDRINUSE: return "another program uses this port";
  case EADDRNOTAVAIL: return "this is not an address of this machine";
  case EACCES: return "this user may not use this port";
  default: return std::strerror(error);
  }
}

} // namespace

listening_socket listen_on(const std::string& host, uint16_t port) {
  const std::string where = "cannot listen on " + host + ", port " + std::to_string(port) + ": ";
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (host.empty()) throw input_error("cannot listen: the host is empty");
  const int unknown = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (unknown != 0) throw input_error(where + "the host is not known (" + ::gai_strerror(unknown) + ")");
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, ::freeaddrinfo);
  // The first that works: a name may stand for addresses of which this machine has only some.
  int error = 0;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    const int descriptor = ::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) {
      error = errno;
      continue;
    }
    set_options(descriptor, one->ai_family == AF_INET6);
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    if (::bind(descriptor, one->ai_addr, one->ai_addrlen) == 0 && ::listen(descriptor, SOMAXCONN) == 0 &&
        ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound), &size) == 0) {
      const auto [address, bound_port] = numeric(reinterpret_cast<const sockaddr*>(&bound), size);
      return {descriptor, one->ai_family == AF_INET6, address, bound_port};
    }
    error = errno;
    ::close(descriptor);
  }
  throw input_error(where + reason_of(error));
}

accepted_socket accept_from(int listening) {
  sockaddr_storage from{};
  socklen_t size = sizeof from;
  const int descriptor = ::accept4(listening, reinterpret_cast<sockaddr*>(&from), &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (descriptor < 0) return {-1, errno, false, {}};
  const auto [address, port] = numeric(reinterpret_cast<const sockaddr*>(&from), size);
  return {descriptor, 0, from.ss_family == AF_INET6, address + ":" + std::to_string(port)};
}

} // namespace troupe::http
