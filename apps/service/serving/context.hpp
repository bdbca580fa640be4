#pragma once
// What all endpoints share. Everything here is of the server's thread.
#include "apps/service/api/api_error.hpp"
#include "apps/service/api/generation_fields.hpp"
#include "apps/service/api/identifiers.hpp"
#include "apps/service/http/server.hpp"
#include "apps/service/serving/background_jobs.hpp"
#include "apps/service/serving/generation.hpp"
#include "apps/service/serving/served_model.hpp"
#include "apps/service/serving/service_metrics.hpp"
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace troupe::service {

class response_store;

struct context {
  explicit context(http::server& of) : server(of) {}

  http::server& server;
  std::vector<std::unique_ptr<served_model>> models; // At least one; the first is the default.
  identifiers names = {};
  service_metrics metrics = {};
  std::chrono::milliseconds queue_time_max{0};       // A request that would wait longer is refused.
  std::string own_version = {};
  int64_t started_unix = 0;
  bool is_draining = false;

  /// By the tenant and each name: the API's, and x-request-id, which clients may give to several.
  std::multimap<std::pair<std::string, std::string>, std::weak_ptr<generation>> under_way = {};
  std::map<std::string, uint32_t> requests_of = {}; // By tenant: how many are under way.
  std::shared_ptr<response_store> responses = nullptr;
  background_jobs jobs{server};
};

/// One request of HTTP on its way through the service.
struct call {
  context& in;
  std::shared_ptr<http::exchange> exchange;
  caller who;
  api_form form = api_form::openai;
  size_t body_bytes = 0; // Of the body as it came.
};

int64_t unix_time();

/// The model that a request names, or the default one. Throws api_error: 404.
served_model& find_model(context& in, std::string_view name);
served_model& find_model(context& in, const json_node& body);

void respond_json(http::exchange& to, const std::string& body, int status = 200);
/// With Retry-After and the like, where it is worth while.
void respond_error(http::exchange& to, const api_error& error, api_form form);

/// Refuses what there is no time or room for, from its length alone: before it is rendered or tokenised. Throws api_error: 429, or 503
/// while the service is drained. sequences: how many it will be.
void admit(call& of, served_model& model, size_t sequences, const generate_request& wish);

/// Starts a generation that can be cancelled by `name`; a broken connection cancels it, unless it is kept. Throws api_error: 429 where its
/// key may have no more under way.
std::shared_ptr<generation> start(call& of, served_model& model, const std::string& name, std::vector<generate_request> requests,
                                  bool is_kept, std::function<std::unique_ptr<generation_form>(const generation&)> form);

/// Runs `work` in a background job, which answers by what it returns; 503 where too many are under way, 500 where it fails.
void run_in_background(call& of, std::function<std::function<void()>()> work);

/// All of that name. False: there is none, or it is another tenant's.
bool cancel(context& in, const std::string& name, const caller& who);

} // namespace troupe::service
