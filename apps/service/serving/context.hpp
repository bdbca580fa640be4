#pragma once
// What all endpoints share. Everything here is of the server's thread.
#include "apps/service/api/api_error.hpp"
#include "apps/service/api/generation_fields.hpp"
#include "apps/service/api/identifiers.hpp"
#include "apps/service/http/server.hpp"
#include "apps/service/api/log_record.hpp"
#include "apps/service/serving/background_jobs.hpp"
#include "apps/service/serving/generation.hpp"
#include "apps/service/serving/respond.hpp"
#include "apps/service/serving/served_model.hpp"
#include "apps/service/serving/service_metrics.hpp"
#include "apps/service/serving/unix_time.hpp"
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace troupe::service {

class answer_log;
class kept_requests;
class response_store;
struct kept_request;
class request_claim;

/// By one of its names.
struct request_under_way {
  std::function<void()> cancel;
  std::weak_ptr<kept_request> kept = {}; // None: it is not kept.
};

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
  std::function<void(const log_record&)> log = nullptr; // Or null.

  /// By the tenant and each name: the API's, and x-request-id, which clients may give to several.
  std::multimap<std::pair<std::string, std::string>, request_under_way> under_way = {};
  std::map<std::string, uint32_t> requests_of = {}; // By tenant: how many are under way.
  size_t claims = 0;                                // That exist: requests of several generations.
  size_t preparing = 0, bytes_in_work = 0;          // Long requests that are being prepared (prepare.hpp).
  std::shared_ptr<response_store> responses = nullptr;
  std::shared_ptr<kept_requests> kept = nullptr;
  std::filesystem::path journal_folder = {}; // Empty: there is none.
  background_jobs jobs{server};
  std::shared_ptr<const bool> lives = std::make_shared<const bool>(true); // The last member: what outlives this sees that first.
};

/// One request of HTTP on its way through the service.
struct call {
  context& in;
  std::shared_ptr<http::exchange> exchange;
  caller who;
  api_form form = api_form::openai;
  size_t body_bytes = 0; // Of the body as it came.

  // Of endpoints that generate:
  drawn_facts drawn = {};
  std::shared_ptr<answer_log> log = nullptr;    // What they answer goes here, not to the exchange.
  std::shared_ptr<request_claim> claim = nullptr; // Where it makes several generations: what it holds from its admission to its end.
  std::shared_ptr<kept_request> kept = nullptr; // Null: it ends with its connection. It may be one that has begun in an earlier process.
};

/// The API that speaks at this path.
api_form form_of(std::string_view path);
/// Calls `f`. Returns the error that it throws for the client.
std::optional<api_error> api_error_of(const std::function<void()>& f);
/// The same; the error is the call's answer.
void guarded(const call& of, const std::function<void()>& f);

/// The model of this name, or the default one. Throws api_error: 404.
served_model& find_model(context& in, std::string_view name);

/// Runs `work` in a background job, which answers by what it returns; 503 where too many are under way, 500 where it fails.
void run_in_background(call& of, std::function<std::function<void()>()> work);

} // namespace troupe::service
