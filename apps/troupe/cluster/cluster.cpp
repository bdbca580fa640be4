// troupe cluster: one table of subcommands.
#include "apps/troupe/cluster/cluster.hpp"
#include <CLI/CLI.hpp>
#include <utility>
#include <vector>

namespace troupe {
namespace {

struct cluster_command {
  const char* name;
  command_run (*declare)(CLI::App&);
  const char* summary;
};

constexpr cluster_command cluster_commands[] = {
  {"keys", declare_cluster_keys, "make a private authority, and keys and certificates for nodes"},
  {"status", declare_cluster_status, "show the workers of a running service, and the layers of each"},
  {"drain", declare_cluster_drain, "move the layers of a worker to others, so that it can be stopped"},
};

} // namespace

command_run declare_cluster(CLI::App& app) {
  app.require_subcommand(1);
  app.footer("");
  std::vector<std::pair<const CLI::App*, command_run>> declared;
  for (const auto& entry : cluster_commands) {
    CLI::App* const sub = app.add_subcommand(entry.name, entry.summary);
    declared.emplace_back(sub, entry.declare(*sub));
  }
  return [declared] {
    for (const auto& [sub, run] : declared) {
      if (sub->parsed()) return run();
    }
    return int(exit_internal);
  };
}

} // namespace troupe
