#pragma once
// A TCP connection as bad as a test wants it.
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace troupe::testing {

/// Passes on what clients send to a port of this machine to another address, and back, in a thread of its own. All may be changed while it
/// runs, and concerns what is on its way already; functions return when it has. Bytes stay in order. An end of a connection (closed, or its
/// process killed) is passed on like a byte: late, and not at all while its direction is stalled. At most a few MB are kept for each
/// direction of a connection, then its sender has to wait.
class tcp_link {
public:
  enum class direction : uint8_t { there, back }; // From who connects to the target; from the target.

  /// Of one direction of every connection.
  struct quality {
    std::chrono::milliseconds delay{0};
    uint64_t bytes_per_second = 0; // 0: unlimited.
    bool is_stalled = false;       // Bytes are kept, connections stay open.
  };

  struct counts {
    uint64_t bytes_there = 0, bytes_back = 0; // That were passed on.
    uint64_t connections = 0;                 // That were taken on, from the beginning.
    uint64_t open_connections = 0;            // Now.
  };

  /// address: numeric. A connection that cannot be made to it is closed.
  explicit tcp_link(uint16_t target_port, const std::string& target_address = "127.0.0.1");
  ~tcp_link(); // Closes all connections.
  tcp_link(const tcp_link&) = delete;
  tcp_link& operator=(const tcp_link&) = delete;

  uint16_t port() const; // On 127.0.0.1, the same as long as it lives.
  void set(direction one, const quality& wanted);
  void set(const quality& both);
  /// Closes all connections and refuses new ones, until restored.
  void cut();
  void restore();
  counts count() const;

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace troupe::testing
