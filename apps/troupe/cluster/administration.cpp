#include "apps/troupe/cluster/administration.hpp"

#include "apps/service/serving/tenants.hpp"
#include "apps/troupe/cli/columns.hpp"
#include "apps/troupe/cli/command.hpp"
#include "model/error.hpp"
#include "model/formats/json.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace troupe {
namespace {

/// What the service says went wrong.
std::string message_of(const http_answer& answer) {
  const auto body = nlohmann::json::parse(answer.body, nullptr, false);
  const nlohmann::json::json_pointer place("/error/message");
  const bool is_error = body.is_object() && body.contains(place) && body.at(place).is_string();
  return "status " + std::to_string(answer.status) + (is_error ? ": " + without_controls(body.at(place).get<std::string>()) : "");
}

worker_line read_worker(const json_node& from) {
  worker_line one;
  one.name = without_controls(from.get("name").text());
  one.state = without_controls(from.get("state").text());
  one.reason = without_controls(from.get("reason").text());
  one.layers = without_controls(from.get("layers").text());
  one.is_spare = from.get("spare").flag();
  one.threads = from.get("threads").natural();
  one.process = from.get("process").natural();
  one.times_lost = from.get("times_lost").natural();
  one.round_trip_us = from.get("round_trip_us").number();
  return one;
}

} // namespace

void declare_administration(CLI::App& app, administration_options& options) {
  app.add_option("--url", options.url, "Where `troupe serve` is")->capture_default_str()->type_name("URL");
  app.add_option("--admin-key-file", options.key_file, "An administrator's key: the first in this file, which may be the service's own")
    ->required()->type_name("FILE");
  app.add_option("--ca", options.authority, "Trust, for https, the certificates in this file (PEM) instead of those that the system trusts")
    ->type_name("FILE");
  app.add_option("--timeout", options.seconds, "Wait so long for an answer")
    ->check(CLI::Range(1, 3600))->capture_default_str()->type_name("SECONDS");
}

administration::administration(const administration_options& options) : key_file_(options.key_file) {
  try {
    server_ = parse_server_url(options.url);
  } catch (const input_error& error) {
    throw usage_error(std::string("--url: ") + error.what());
  }
  key_ = service::read_keys(options.key_file).front().key;
  http_.authority_file = options.authority;
  http_.time_max = std::chrono::seconds(options.seconds);
}

std::string administration::call(const http_call& what) const {
  http_call with_key = what;
  with_key.key = key_;
  http_answer answer;
  try {
    answer = call_server(server_, with_key, http_);
  } catch (const no_answer& error) {
    throw run_error(error.what());
  }
  if (answer.status == 401) throw input_error(key_file_ + ": the first key in it is none of an administrator of " + server_.text());
  if (answer.status / 100 != 2) throw run_error(server_.text() + what.path + ": " + message_of(answer));
  return std::move(answer.body);
}

std::vector<workers_of_model> administration::workers() const {
  const auto body = call({.path = "/admin/cluster"});
  std::vector<workers_of_model> all;
  try {
    const json_file answer("the answer of " + server_.text(), body);
    for (const auto& model : answer.root().get("models").elements()) {
      auto& one = all.emplace_back();
      one.model = without_controls(model.get("model").text());
      for (const auto& worker : model.get("workers").elements()) one.workers.push_back(read_worker(worker));
    }
  } catch (const input_error& error) {
    throw run_error(error.what());
  }
  if (std::ranges::all_of(all, [](const auto& one) { return one.workers.empty(); }))
    throw run_error(server_.text() + " has no workers: they come with `troupe serve --workers` or `--cluster`");
  return all;
}

void administration::drain(const std::string& model, const std::string& worker, bool undo) const {
  const nlohmann::json order{{"worker", worker}, {"model", model}, {"undo", undo}};
  call({.method = "POST", .path = "/admin/cluster/drain", .body = order.dump()});
}

} // namespace troupe
