#include "apps/service/service.hpp"

#include "apps/service/anthropic/endpoints.hpp"
#include "apps/service/dashboard/dashboard.hpp"
#include "apps/service/dashboard/page.hpp"
#include "apps/service/http/server.hpp"
#include "apps/service/openai/endpoints.hpp"
#include "apps/service/openai/response_store.hpp"
#include "apps/service/serving/admin.hpp"
#include "apps/service/serving/canary.hpp"
#include "apps/service/serving/context.hpp"
#include "apps/service/serving/kept_requests.hpp"
#include "apps/service/serving/metrics_page.hpp"
#include "apps/service/serving/start.hpp"
#include "apps/service/serving/tenants.hpp"
#include "apps/service/tasks/endpoints.hpp"
#include "model/error.hpp"

#include <algorithm>
#include <csignal>
#include <map>
#include <optional>
#include <utility>

namespace troupe::service {
namespace {

struct route {
  const char* path;
  body_endpoint answer;
};

/// POST with a JSON body. The first ones generate, and may be kept.
constexpr route kept_routes[] = {
  {"/v1/chat/completions", chat_completions},
  {"/v1/completions", completions},
  {"/v1/responses", create_response},
  {"/v1/messages", messages},
};
constexpr route routes[] = {
  {"/v1/embeddings", embeddings},
  {"/v1/messages/count_tokens", count_tokens},
  {"/classify", classify},
  {"/v1/classify", classify},
  {"/translate", translate},
  {"/tokenize", tokenize},
  {"/detokenize", detokenize},
  {"/apply-template", apply_template},
};

/// POST with a form.
struct form_route {
  const char* path;
  void (*answer)(call& of);
};
constexpr form_route form_routes[] = {
  {"/v1/audio/transcriptions", transcriptions},
  {"/v1/audio/translations", translations},
};

bool is_of_this_machine(const std::string& host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

/// Of a Host header, without its port.
std::string host_name(std::string_view header) {
  if (header.starts_with('[')) return std::string(header.substr(1, header.find(']') - 1));
  return std::string(header.substr(0, header.find(':')));
}

bool is_visible(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 127; });
}

/// "/v1/responses/abc/cancel" and {"/v1/responses/", "/cancel"}: "abc". Nothing: it is another path.
std::optional<std::string> between(const std::string& path, std::string_view before, std::string_view behind) {
  if (path.size() <= before.size() + behind.size() || !path.starts_with(before) || !path.ends_with(behind)) return std::nullopt;
  auto inner = path.substr(before.size(), path.size() - before.size() - behind.size());
  if (inner.find('/') != std::string::npos) return std::nullopt;
  return inner;
}

template <class Route, size_t n> auto find_route(const Route (&among)[n], const std::string& path) -> decltype(among->answer) {
  const auto found = std::ranges::find_if(among, [&](const Route& one) { return path == one.path; });
  return found == std::end(among) ? nullptr : found->answer;
}

} // namespace

struct service::state {
  service_options options;
  std::vector<tenant_key> keys, admin_keys;
  std::optional<http::server> server;
  std::optional<context> in;
  std::vector<std::unique_ptr<canary>> canaries; // By model.
  std::optional<dashboard> board;
  http::timer idle_check, deadline;
  int signal = 0;

  state(service_options given, std::vector<model_to_serve> models);
  void log(const log_record& record) const {
    if (options.log) options.log(record);
  }

  http::server_options http_options();
  void keep_requests();
  void answer(const std::shared_ptr<http::exchange>& exchange);
  void dispatch(call& of);
  void with_body(call& of, body_endpoint endpoint);
  void with_response(call& of, const std::string& id, void (*endpoint)(call& of, const std::string& id));
  caller authenticate(const http::request& asked);
  void require_admin(const http::request& asked) const;
  void require_any_key(const http::request& asked) const;
  void check_head(const http::request& asked) const;
  void check_origin(http::exchange& exchange) const;
  void cancel_request(call& of, const std::string& id);
  bool get(call& of);
  bool get_page(call& of);
  void models_list(call& of, const std::string& name);
  void ready(call& of);
  void metrics(call& of);
  void on_signal(int number);
  void stop_when_idle();
};

service::state::state(service_options given, std::vector<model_to_serve> models) : options(std::move(given)) {
  if (options.api_key_file) keys = read_keys(*options.api_key_file);
  if (options.admin_key_file) admin_keys = read_keys(*options.admin_key_file);
  if (keys.empty() && !is_of_this_machine(options.http.host))
    throw input_error("serving at " + options.http.host + " lets other machines in: give --api-key-file");
  server.emplace(http_options(), [this](std::shared_ptr<http::exchange> exchange) { answer(exchange); });
  in.emplace(*server);
  in->queue_time_max = options.queue_time_max;
  in->own_version = "troupe-" + options.version;
  in->started_unix = unix_time();
  in->log = options.log;
  in->responses = std::make_shared<response_store>();
  for (auto& one : models) {
    admission_limits limits;
    limits.running_max = one.runs->options().sequences_max;
    limits.waiting_max = options.waiting_max;
    if (one.runs->model().audio) limits.waiting_bytes_max = 512 << 20; // Sound is kept as it came, until its end.
    in->models.push_back(std::make_unique<served_model>(one.name, std::move(one.runs), limits,
                                                        [this](std::function<void()> run) { server->post(std::move(run)); }));
    canaries.push_back(std::make_unique<canary>(*server, *in->models.back()));
  }
  keep_requests();
  board.emplace(*in, !admin_keys.empty(), options.training_run);
  server->on_signal([this](int number) { on_signal(number); });
}

void service::state::keep_requests() {
  kept_requests::options with;
  with.endpoint = [](const std::string& path) { return find_route(kept_routes, path); };
  with.caller_of = [this](const std::string& tenant) -> caller {
    const auto found = std::ranges::find(keys, tenant, &tenant_key::name);
    if (found == keys.end()) return {tenant, 1, true};
    return {found->name, found->weight, true, found->priority_max, found->requests_max};
  };
  with.has_response = [this](const std::string& id, const caller& who) { return in->responses->find(id, who) != nullptr; };
  with.warn = [this](const std::string& text) { log(log_record{"journal", log_level::warning}.add("message", text)); };
  in->kept = std::make_shared<kept_requests>(*in, std::move(with));
  if (!options.journal) return;
  in->journal_folder = options.journal->folder;
  in->kept->use(journal_database(*options.journal));
}

http::server_options service::state::http_options() {
  auto http = options.http;
  http.error_body = [](int status, const std::string& code, const std::string& message, const std::string& path) {
    return error_body(api_error(status, code, message), path.starts_with("/v1/messages") ? api_form::anthropic : api_form::openai);
  };
  if (options.log)
    http.log = [this](const http::finished_request& one) {
      log(log_record{"request"}.add("id", one.id).add("peer", one.peer).add("method", one.method).add("path", one.path)
            .add("status", int64_t(one.status)).add("bytes", int64_t(one.bytes)).add("ms", double(one.duration.count()) / 1000)
            .add("complete", one.complete));
    };
  http.check_head = [this](const http::request& asked) { check_head(asked); };
  // The last events of a response repeat all of it; they come at once.
  http.output_bytes_max = std::max<size_t>(http.output_bytes_max, 16 << 20);
  http.on_exception = [this](const std::string& what) { log(log_record{"exception", log_level::warning}.add("message", what)); };
  return http;
}

caller service::state::authenticate(const http::request& asked) {
  if (keys.empty()) return {};
  const auto* found = find_key(keys, asked.header("authorization"), asked.header("x-api-key"));
  if (!found) throw api_error(401, "invalid_api_key", "a valid API key is needed: Authorization: Bearer KEY, or x-api-key");
  return {found->name, found->weight, true, found->priority_max, found->requests_max};
}

/// Whoever may not ask takes no memory with a body either.
void service::state::check_head(const http::request& asked) const {
  const std::string host = host_name(asked.header("host"));
  // A site whose name leads here would be of the same origin, for a browser.
  if (keys.empty() && !host.empty() && host != options.http.host && !is_of_this_machine(host))
    throw http::http_error(403, "host_not_allowed", "without keys this server answers to names of this machine only, such as 127.0.0.1");
  const bool knows = keys.empty() || find_key(keys, asked.header("authorization"), asked.header("x-api-key")) ||
                     find_key(admin_keys, asked.header("authorization"), asked.header("x-api-key"));
  const bool has_body = !asked.header("transfer-encoding").empty() || (!asked.header("content-length").empty() &&
                                                                       asked.header("content-length") != "0");
  if (has_body && !knows) throw http::http_error(401, "invalid_api_key", "a valid API key is needed: Authorization: Bearer KEY, or x-api-key");
}

void service::state::require_admin(const http::request& asked) const {
  if (admin_keys.empty()) throw api_error(404, "not_found", "there is no such path (administration is off: --admin-key-file)");
  if (!find_key(admin_keys, asked.header("authorization"), asked.header("x-api-key")))
    throw api_error(401, "invalid_api_key", "a valid administrator's key is needed: Authorization: Bearer KEY");
}

/// Of either kind. Without API keys whoever reaches the service may ask.
void service::state::require_any_key(const http::request& asked) const {
  const auto authorization = asked.header("authorization"), api_key = asked.header("x-api-key");
  if (keys.empty() || find_key(keys, authorization, api_key) || find_key(admin_keys, authorization, api_key)) return;
  throw api_error(401, "invalid_api_key", "a valid API key or administrator's key is needed: Authorization: Bearer KEY");
}

/// A page of another site, in a browser on this machine, could send requests here whose answers it cannot read.
void service::state::check_origin(http::exchange& exchange) const {
  const std::string origin(exchange.asked().header("origin"));
  if (origin.empty()) return;
  if (!is_visible(origin)) throw api_error(400, "bad_origin", "the Origin header is none");
  const auto allows = [&](const std::string& one) { return one == "*" || one == origin; };
  if (std::ranges::none_of(options.cors_origins, allows)) {
    const auto host = exchange.asked().header("host");
    if (origin == "http://" + std::string(host) || origin == "https://" + std::string(host)) return;
    throw api_error(403, "origin_not_allowed", "pages of " + origin + " may not ask this server: --cors-origin");
  }
  exchange.add_header("access-control-allow-origin", origin);
  exchange.add_header("vary", "origin");
  exchange.add_header("access-control-expose-headers", "x-request-id, request-id, retry-after, retry-after-ms, x-should-retry, idempotency-replayed");
}

void service::state::cancel_request(call& of, const std::string& id) {
  const auto answer = [id, exchange = of.exchange, form = of.form](const api_error* failure) {
    if (failure) return respond_error(*exchange, *failure, form);
    respond_json(*exchange, to_text({{"id", id}, {"cancelled", true}}));
  };
  if (!cancel(*in, id, of.who, answer)) throw api_error(404, "request_not_found", "there is no request \"" + id + "\" under way");
}

void service::state::answer(const std::shared_ptr<http::exchange>& exchange) {
  const auto& asked = exchange->asked();
  call of{*in, exchange, {}, form_of(asked.path), asked.body.size()};
  if (of.form == api_form::anthropic) exchange->add_header("request-id", asked.id); // Where Anthropic's clients look for it.
  guarded(of, [&] { dispatch(of); });
}

void service::state::with_body(call& of, body_endpoint endpoint) {
  const json_file body("body", of.exchange->take_body());
  body.root().members(); // An object.
  of.drawn = in->names.draw(unix_time());
  endpoint(of, body.root());
}

/// It may be in the journal only.
void service::state::with_response(call& of, const std::string& id, void (*endpoint)(call& of, const std::string& id)) {
  in->kept->load(of, id, [of = call(of), id, endpoint]() mutable { endpoint(of, id); });
}

void service::state::dispatch(call& of) {
  const auto& asked = of.exchange->asked();
  const auto& path = asked.path;
  check_origin(*of.exchange);
  if (asked.method == "OPTIONS") {
    http::response allowed{.status = 204, .content_type = "", .body = "", .headers = {{"allow", "GET, POST, DELETE, OPTIONS"}}};
    if (!asked.header("origin").empty()) {
      allowed.headers.emplace_back("access-control-allow-methods", "GET, POST, DELETE");
      std::string wanted(asked.header("access-control-request-headers"));
      std::erase(wanted, ' ');
      allowed.headers.emplace_back("access-control-allow-headers", wanted.empty() || !is_visible(wanted) ? "authorization,content-type" : wanted);
      allowed.headers.emplace_back("access-control-max-age", "600");
    }
    return of.exchange->respond(std::move(allowed));
  }
  if (path.starts_with("/admin/")) {
    require_admin(asked);
    if (asked.method == "GET" && path == "/admin/actors") return admin_actors(of);
    if (asked.method == "POST" && path == "/admin/kill") return with_body(of, admin_kill);
    if (asked.method == "POST" && path == "/admin/drain") return admin_drain(of);
    if (asked.method == "GET" && path == "/admin/cluster") return admin_cluster(of);
    if (asked.method == "POST" && path == "/admin/cluster/drain") return with_body(of, admin_drain_worker);
    if (path == "/admin/faults") {
      if (asked.method == "POST") return admin_use_faults(of);
      if (asked.method == "GET") return admin_faults(of);
      if (asked.method == "DELETE") return admin_end_faults(of);
    }
    throw api_error(404, "not_found", "there is no " + asked.method + " " + path);
  }
  const bool gets = asked.method == "GET" || asked.method == "HEAD";
  if (gets && (path == "/health/live" || path == "/health")) return respond_json(*of.exchange, R"({"status":"ok"})");
  if (gets && path == "/health/ready") return ready(of);
  if (gets && path == "/metrics") return metrics(of);
  if (get_page(of)) return;
  of.who = authenticate(asked);
  if (gets && get(of)) return;
  if (asked.method == "DELETE") {
    if (const auto id = between(path, "/v1/responses/", "")) return with_response(of, *id, delete_response);
    if (const auto id = between(path, "/v1/requests/", "")) return cancel_request(of, *id);
  }
  if (asked.method == "POST") {
    if (const auto id = between(path, "/v1/responses/", "/cancel")) return with_response(of, *id, cancel_response);
    if (const auto id = between(path, "/v1/requests/", "/cancel")) return cancel_request(of, *id);
    if (const auto endpoint = find_route(kept_routes, path)) return in->kept->answer(of, endpoint);
    if (const auto endpoint = find_route(routes, path)) return with_body(of, endpoint);
    if (const auto endpoint = find_route(form_routes, path)) return endpoint(of);
  }
  if (find_route(kept_routes, path) || find_route(routes, path) || find_route(form_routes, path)) {
    of.exchange->add_header("allow", "POST, OPTIONS");
    throw api_error(405, "method_not_allowed", path + " takes POST");
  }
  throw api_error(404, "not_found", "there is no " + asked.method + " " + path);
}

/// The page itself holds no secret: who may not watch sees that a key is needed.
bool service::state::get_page(call& of) {
  const auto& asked = of.exchange->asked();
  const auto* file = find_page_file(asked.path);
  const bool is_stream = asked.path == "/dashboard/events";
  if (!file && !is_stream) return false;
  if (asked.method != "GET" && (is_stream || asked.method != "HEAD")) {
    of.exchange->add_header("allow", is_stream ? "GET, OPTIONS" : "GET, HEAD, OPTIONS");
    throw api_error(405, "method_not_allowed", asked.path + " takes GET");
  }
  if (file) {
    of.exchange->respond(page_response(*file));
    return true;
  }
  require_any_key(asked);
  board->watch(of);
  return true;
}

bool service::state::get(call& of) {
  const auto& path = of.exchange->asked().path;
  if (path == "/v1/models") models_list(of, "");
  else if (const auto name = between(path, "/v1/models/", "")) models_list(of, *name);
  else if (const auto id = between(path, "/v1/responses/", "/input_items")) with_response(of, *id, response_input_items);
  else if (const auto response = between(path, "/v1/responses/", "")) with_response(of, *response, get_response);
  else return false;
  return true;
}

void service::state::models_list(call& of, const std::string& name) {
  const auto entry = [&](const served_model& one) {
    return json{{"id", one.name()}, {"object", "model"}, {"created", in->started_unix}, {"owned_by", "troupe"}, {"max_model_len", one.context()},
                // Anthropic's words for the same.
                {"type", "model"}, {"display_name", one.name()}};
  };
  if (!name.empty()) return respond_json(*of.exchange, to_text(entry(find_model(*in, name))));
  json data = json::array();
  for (const auto& one : in->models) data.push_back(entry(*one));
  respond_json(*of.exchange, to_text({{"object", "list"}, {"data", data}, {"has_more", false},
                                      {"first_id", data.front()["id"]}, {"last_id", data.back()["id"]}}));
}

void service::state::ready(call& of) {
  if (in->is_draining) return respond_json(*of.exchange, R"({"status":"draining"})", 503);
  const auto problems = std::make_shared<json>(json::object());
  const auto left = std::make_shared<size_t>(canaries.size());
  for (size_t i = 0; i < canaries.size(); ++i)
    canaries[i]->ask([exchange = of.exchange, name = in->models[i]->name(), problems, left](const std::string& problem) {
      if (!problem.empty()) (*problems)[name] = problem;
      if (--*left > 0) return;
      const bool good = problems->empty();
      respond_json(*exchange, to_text(good ? json{{"status", "ok"}} : json{{"status", "not ready"}, {"models", *problems}}), good ? 200 : 503);
    });
}

void service::state::metrics(call& of) {
  std::vector<std::pair<std::string, engine*>> engines;
  for (const auto& one : in->models) engines.emplace_back(one->name(), &one->runs());
  run_in_background(of, [this, engines, exchange = of.exchange]() -> std::function<void()> {
    std::vector<engine_reading> readings;
    for (const auto& [name, one] : engines) readings.push_back({name, one->statistics(), one->actors(), one->workers()});
    return [this, exchange, readings = std::move(readings)] {
      exchange->respond({.status = 200, .content_type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics_page(*in, readings), .headers = {}});
    };
  });
}

void service::state::stop_when_idle() {
  size_t under_way = 0;
  for (const auto& one : in->models) under_way += one->under_way();
  under_way -= in->kept->under_way();
  under_way += in->claims + in->preparing;
  if (under_way == 0) {
    board->end();
    return server->stop_accepting(); // run() returns when the last answer is out.
  }
  idle_check = server->after(std::chrono::milliseconds(20), [this] { stop_when_idle(); });
}

void service::state::on_signal(int number) {
  if (signal != 0) return server->stop();
  signal = number;
  in->is_draining = true;
  log(log_record{"stopping"}.add("signal", int64_t(number)).add("shutdown_ms", int64_t(options.shutdown_time.count())));
  if (in->kept->has_journal()) in->kept->disconnect();
  deadline = server->after(options.shutdown_time, [this] { server->stop(); });
  stop_when_idle();
}

service::service(service_options options, std::vector<model_to_serve> models)
  : state_(std::make_unique<state>(std::move(options), std::move(models))) {}
service::~service() = default;

std::string service::address() const { return state_->server->address(); }
int service::run() {
  state_->server->run();
  return state_->signal;
}
void service::stop() { state_->server->stop(); }

} // namespace troupe::service
