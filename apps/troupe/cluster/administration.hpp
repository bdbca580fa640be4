#pragma once
// How commands reach the administration of a running `troupe serve`: its workers, asked and told over HTTP (docs/service.md).
#include "apps/http_client/http_client.hpp"
#include <cstdint>
#include <string>
#include <vector>

namespace CLI { class App; }

namespace troupe {

struct administration_options {
  std::string url = "http://127.0.0.1:8080", key_file, authority;
  uint32_t seconds = 10;
};
void declare_administration(CLI::App& app, administration_options& options);

/// A worker process of a model, as the service sees it.
struct worker_line {
  std::string name, state, reason, layers; // See worker_facts (actors/engine.hpp).
  bool is_spare = false;
  uint64_t threads = 0, process = 0, times_lost = 0;
  double round_trip_us = 0;
};
struct workers_of_model {
  std::string model;
  std::vector<worker_line> workers;
};

class administration {
public:
  /// Throws usage_error for an address that is none, input_error for a file without a key.
  explicit administration(const administration_options& options);

  // All throw run_error when nobody answers, or something else than a service whose administration is on; input_error when the service does
  // not take the key.
  /// Of all models. Throws run_error when none has a worker.
  std::vector<workers_of_model> workers() const;
  void drain(const std::string& model, const std::string& worker, bool undo) const;

private:
  std::string call(const http_call& what) const; // The answer's body.

  server_url server_;
  std::string key_file_, key_;
  http_client_options http_;
};

} // namespace troupe
