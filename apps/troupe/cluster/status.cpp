// troupe cluster status: the workers of a running service.
#include "apps/troupe/cli/columns.hpp"
#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "apps/troupe/cluster/administration.hpp"
#include "apps/troupe/cluster/cluster.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

namespace troupe {
namespace {

struct cluster_status_options {
  administration_options service;
  bool as_json = false;
};

constexpr const char* cluster_status_examples =
  R"(  troupe cluster status --admin-key-file admins                               a line for each worker
  troupe cluster status --admin-key-file admins --json                        the same as JSON
  troupe cluster status --admin-key-file admins --url https://models.example  a service on another machine)";

std::string number_text(uint64_t number) { return number == 0 ? "-" : std::to_string(number); }

std::string milliseconds_text(double microseconds) {
  if (microseconds <= 0) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.2f ms", microseconds / 1000);
  return text;
}

int run_cluster_status(const cluster_status_options& options) {
  const administration service(options.service);
  const auto models = service.workers();
  if (options.as_json) {
    auto list = nlohmann::ordered_json::array();
    for (const auto& [model, workers] : models)
      for (const auto& one : workers)
        list.push_back({{"model", model}, {"name", one.name}, {"state", one.state}, {"layers", one.layers}, {"spare", one.is_spare},
                        {"threads", one.threads}, {"process", one.process}, {"round_trip_us", one.round_trip_us},
                        {"times_lost", one.times_lost}, {"reason", one.reason}});
    print(list.dump(2) + "\n");
    return exit_ok;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& [model, workers] : models)
    for (const auto& one : workers)
      rows.push_back({model, one.name, one.state, one.is_spare ? "spare" : one.layers.empty() ? "-" : one.layers, number_text(one.threads),
                      number_text(one.process), milliseconds_text(one.round_trip_us), std::to_string(one.times_lost), one.reason});
  print(table_text({{"model"}, {"worker"}, {"state"}, {"layers"}, {"threads", true}, {"process", true}, {"round trip", true},
                    {"times lost", true}, {"reason"}},
                   rows));
  return exit_ok;
}

} // namespace

command_run declare_cluster_status(CLI::App& app) {
  const auto options = std::make_shared<cluster_status_options>();
  declare_administration(app, options->service);
  app.add_flag("--json", options->as_json, "Print a JSON array");
  declare_examples(app, cluster_status_examples);
  return [options] { return run_cluster_status(*options); };
}

} // namespace troupe
