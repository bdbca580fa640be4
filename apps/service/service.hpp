#pragma once
// The service: models behind OpenAI's, Anthropic's and customary HTTP endpoints.
#include "actors/engine.hpp"
#include "actors/journal/journal_database.hpp"
#include "apps/service/http/server_options.hpp"
#include "apps/service/api/log_record.hpp"
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe::service {

struct service_options {
  http::server_options http;                              // Its callbacks are set by the service.
  std::optional<std::filesystem::path> api_key_file, admin_key_file; // As serving/tenants.hpp reads them.
  std::vector<std::string> cors_origins;                  // Of pages that may ask; "*": all.
  std::chrono::milliseconds queue_time_max{10'000};       // A request that would wait longer for its turn is refused.
  uint32_t waiting_max = 4096;                            // Requests that may wait.
  std::chrono::milliseconds shutdown_time{30'000};        // How long requests may go on after SIGTERM.
  std::optional<journal_options> journal;                 // Kept requests go on after a restart; without it they end with the process.
  std::filesystem::path training_run;                     // The folder of a run whose loss the dashboard shows; empty: none.
  std::string version;
  std::function<void(const log_record&)> log;             // Gets what happens, on the thread of run(); or null.
};

struct model_to_serve {
  std::string name;
  std::unique_ptr<engine> runs;
};

/// Listens; answers begin with run(). Everything but the engines runs on the thread of run(). A handler's error is the answer of its
/// request alone.
class service {
public:
  /// models: at least one. Throws input_error: a key file or certificate that cannot be used, a port in use, a journal that cannot be used;
  /// and for a host that is not of this machine alone when there are no keys.
  service(service_options options, std::vector<model_to_serve> models);
  ~service();

  std::string address() const; // "http://127.0.0.1:8080"
  /// Until SIGTERM or SIGINT: then no new requests are taken, and it ends when the others have, but for those that are in a journal, or
  /// shutdown_time is over; at once at a second signal. Returns the signal; 0 after stop().
  int run();
  void stop(); // From any thread.

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace troupe::service
