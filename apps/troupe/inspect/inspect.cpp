// troupe inspect: the facts of a model, and the tree of actors that runs it.
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/session.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "apps/troupe/inspect/actor_tree.hpp"
#include "apps/troupe/inspect/model_facts.hpp"
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace troupe {
namespace {

struct inspect_options {
  run_options run;
  bool actors = false;
  bool tensors = false;
  bool as_json = false;
  bool dot = false;
};

constexpr const char* examples =
  R"(  troupe inspect -m stories260K.gguf
  troupe inspect -m stories260K.gguf --actors --threads 2
  troupe inspect -m stories260K.gguf --dot | dot -Tsvg > troupe.svg
  troupe inspect -m stories260K.gguf --tensors --json)";

void declare_options(CLI::App& app, inspect_options& options) {
  declare_model(app, options.run);
  app.add_flag("--actors", options.actors, "Start the model and show its tree of actors");
  auto* tensors = app.add_flag("--tensors", options.tensors, "List the tensors as they were published");
  auto* as_json = app.add_flag("--json", options.as_json, "Print everything as one JSON object");
  app.add_flag("--dot", options.dot, "Print only the tree of actors, in Graphviz's language")
    ->excludes(as_json)->excludes(tensors);
  declare_engine(app, options.run);
  declare_quiet(app, options.run);
  declare_examples(app, examples);
}

std::vector<actor_node> list_actors(const std::shared_ptr<const model_file>& model, const inspect_options& options) {
  return actor_trees(start_engine(model, options.run)->actors());
}

std::string tensor_lines(const nlohmann::ordered_json& tensors) {
  std::string out;
  for (const auto& tensor : tensors) {
    out += tensor["name"].get<std::string>() + "  " + tensor["type"].get<std::string>() + " [" + tensor["rows"].dump()
           + ", " + tensor["columns"].dump() + "]\n";
  }
  return out;
}

int run_inspect(const inspect_options& options) {
  const auto model = open_model(options.run);
  if (options.dot) {
    print(to_dot(list_actors(model, options)));
    return exit_ok;
  }
  auto facts = model_facts(*model);
  if (options.as_json) {
    if (options.actors) facts["actors"] = to_json(list_actors(model, options));
    if (options.tensors) facts["tensors"] = tensor_list(*model);
    print(facts.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
    return exit_ok;
  }
  print(as_lines(facts));
  if (options.tensors) print("\n" + tensor_lines(tensor_list(*model)));
  if (options.actors) print("\n" + draw(list_actors(model, options)));
  return exit_ok;
}

} // namespace

command_run declare_inspect(CLI::App& app) {
  const auto options = std::make_shared<inspect_options>();
  declare_options(app, *options);
  return [options] { return run_inspect(*options); };
}

} // namespace troupe
