// troupe cluster drain: a worker of a running service gives its layers to others.
#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "apps/troupe/cluster/administration.hpp"
#include "apps/troupe/cluster/cluster.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

namespace troupe {
namespace {

struct cluster_drain_options {
  administration_options service;
  std::string node, model;
  bool undo = false;
};

constexpr const char* cluster_drain_examples =
  R"(  troupe cluster drain east --admin-key-file admins           before the machine east is stopped
  troupe cluster drain east --undo --admin-key-file admins    it may compute again)";

/// The models that have this worker, of those that are meant. Throws run_error when there is none.
std::vector<std::string> models_with(const std::vector<workers_of_model>& all, const cluster_drain_options& options) {
  std::vector<std::string> found;
  std::string known;
  for (const auto& [model, workers] : all) {
    if (!options.model.empty() && model != options.model) continue;
    if (std::ranges::count(workers, options.node, &worker_line::name) > 0) found.push_back(model);
    for (const auto& one : workers) known += " " + one.name;
  }
  if (!found.empty()) return found;
  if (known.empty()) throw run_error("there is no model \"" + options.model + "\" with workers");
  throw run_error("there is no worker \"" + options.node + "\"; there are:" + known);
}

int run_cluster_drain(const cluster_drain_options& options) {
  const administration service(options.service);
  const auto models = models_with(service.workers(), options);
  for (const auto& model : models) service.drain(model, options.node, options.undo);
  const auto now = service.workers();
  for (const auto& model : models) {
    print(model + ": " + options.node + (options.undo ? " may compute again\n" : " gets no layers any more\n"));
    const auto known = std::ranges::find(now, model, &workers_of_model::model);
    if (options.undo || known == now.end()) continue;
    const auto worker = std::ranges::find(known->workers, options.node, &worker_line::name);
    if (worker != known->workers.end() && !worker->layers.empty())
      note(model + ": no other worker can take the layers " + worker->layers + " at present: " + options.node
           + " computes them until one can");
  }
  return exit_ok;
}

} // namespace

command_run declare_cluster_drain(CLI::App& app) {
  const auto options = std::make_shared<cluster_drain_options>();
  app.add_option("node", options->node, "The worker, as `troupe cluster status` names it")->required()->type_name("NODE");
  app.add_flag("--undo", options->undo, "Let it compute again");
  app.add_option("-m,--model", options->model, "Of this model only; else of all that the service has")->type_name("NAME");
  declare_administration(app, options->service);
  declare_examples(app, cluster_drain_examples);
  return [options] { return run_cluster_drain(*options); };
}

} // namespace troupe
