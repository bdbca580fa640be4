// troupe cluster keys: a private authority, and keys and certificates for nodes.
#include "actors/cluster/keys.hpp"
#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "apps/troupe/cluster/cluster.hpp"
#include "model/error.hpp"
#include <CLI/CLI.hpp>
#include <cstdint>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace troupe {
namespace {

struct cluster_keys_options {
  std::string folder;
  std::vector<std::string> nodes;
  uint32_t days = 365;
  bool renew = false;
  bool as_json = false;
};

constexpr const char* cluster_keys_examples =
  R"(  troupe cluster keys my_keys coordinator worker1 worker2     the authority, and files for three nodes
  troupe cluster keys my_keys worker3                         one more node, of the same authority
  troupe cluster keys my_keys worker1 --renew --days 90       a new certificate for its key)";

/// "2027-03-01T12:30:00Z"
std::string time_text(std::chrono::sys_seconds time) {
  const std::time_t seconds = time.time_since_epoch().count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[64];
  std::strftime(text, sizeof text, "%FT%TZ", &parts);
  return text;
}

int run_cluster_keys(const cluster_keys_options& options) {
  try {
    for (const auto& node : options.nodes) keys_in(options.folder, node);
  } catch (const input_error& error) {
    throw usage_error(error.what());
  }
  make_keys_options how;
  how.validity = std::chrono::hours(24 * options.days);
  how.renew = options.renew;
  const auto written = make_keys(options.folder, options.nodes, how);
  if (options.as_json) {
    auto list = nlohmann::ordered_json::array();
    for (const auto& file : written) {
      nlohmann::ordered_json one{{"file", file.string()}};
      if (file.extension() == ".crt") one["valid_until"] = time_text(valid_until(file));
      list.push_back(std::move(one));
    }
    print(list.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
    return exit_ok;
  }
  for (const auto& file : written) {
    const bool is_certificate = file.extension() == ".crt";
    print(file.string() + (is_certificate ? "  valid until " + time_text(valid_until(file)) : "  private") + "\n");
  }
  note("a node needs NODE.key, NODE.crt and authority.crt, in a folder that only its user can read; authority.key stays here");
  return exit_ok;
}

} // namespace

command_run declare_cluster_keys(CLI::App& app) {
  const auto options = std::make_shared<cluster_keys_options>();
  app.add_option("folder", options->folder, "Where the authority is, or is made, and all files are written")->required()->type_name("DIR");
  app.add_option("nodes", options->nodes, "Names of nodes: letters, digits, dots, dashes, underscores")->required()->type_name("NODE");
  app.add_option("--days", options->days, "How long the certificates of nodes are valid; a new authority is valid for 3650 days")
    ->check(CLI::Range(1, 3650))
    ->capture_default_str()
    ->type_name("N");
  app.add_flag("--renew", options->renew, "Make new certificates for nodes that have one; their keys stay");
  app.add_flag("--json", options->as_json, "Print a JSON array of the files written");
  declare_examples(app, cluster_keys_examples);
  return [options] { return run_cluster_keys(*options); };
}

} // namespace troupe
