#pragma once
// Whether a model answers: asked by sending a request through all of its actors.
#include "apps/service/http/server.hpp"
#include "apps/service/serving/served_model.hpp"
#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace troupe::service {

/// One request for one token, before all others, with a deadline. Several who ask at the same time get the answer of one.
class canary {
public:
  static constexpr std::chrono::milliseconds deadline{2000}, listening_deadline{60'000}; // A model that listens hears a whole window first.

  canary(http::server& server, served_model& model) : server_(server), model_(model) {}
  canary(const canary&) = delete;
  canary& operator=(const canary&) = delete;

  /// `tell`: what is wrong; empty: nothing.
  void ask(std::function<void(const std::string& problem)> tell);

private:
  void end(const std::string& problem);

  http::server& server_;
  served_model& model_;
  std::vector<std::function<void(const std::string&)>> waiting_;
  uint64_t flight_ = 0; // Of the request under way, counted; what an earlier one brings means nothing.
  http::timer timer_;
};

} // namespace troupe::service
