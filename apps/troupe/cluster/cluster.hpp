#pragma once
// The subcommands of `troupe cluster`, each in a file of its name. As in apps/troupe/cli/command.hpp.
#include "apps/troupe/cli/command.hpp"

namespace troupe {

command_run declare_cluster_keys(CLI::App& app);
command_run declare_cluster_status(CLI::App& app);
command_run declare_cluster_drain(CLI::App& app);

} // namespace troupe
