// troupe journal: what a journal of `troupe serve` holds.
#include "actors/journal/journal_database.hpp"
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "model/error.hpp"
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace troupe {
namespace {

struct list_options {
  std::string folder;
  bool as_json = false;
};

constexpr const char* examples =
  R"(  troupe journal /var/lib/troupe            a line for each request: name, state, tokens, age, endpoint
  troupe journal /var/lib/troupe --json     the same as one JSON array)";

/// "5 s", "3 min", "2 h", "4 d"
std::string age_text(int64_t seconds) {
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 7200) return std::to_string(seconds / 60) + " min";
  if (seconds < 172800) return std::to_string(seconds / 3600) + " h";
  return std::to_string(seconds / 86400) + " d";
}

std::string as_line(const journal_line& one, int64_t now) {
  char text[128];
  std::snprintf(text, sizeof text, "%-24s  %-8s  %8llu  %8s  ", one.name.c_str(), one.ended ? "ended" : "open",
                static_cast<unsigned long long>(one.tokens), age_text(std::max<int64_t>(0, now - one.created)).c_str());
  return text + one.path + "\n";
}

nlohmann::ordered_json as_json(const journal_line& one, int64_t now) {
  return {{"name", one.name},     {"path", one.path},           {"state", one.ended ? "ended" : "open"},
          {"tokens", one.tokens}, {"age_s", now - one.created}, {"created", one.created},
          {"ended", one.ended ? nlohmann::ordered_json(*one.ended) : nlohmann::ordered_json()},
          {"model", one.model},   {"tenant", one.tenant},       {"key", one.key},
          {"deaths", one.deaths}, {"begun", one.is_begun}};
}

int run_list(const list_options& options) {
  journal_options journal;
  journal.folder = options.folder;
  std::vector<journal_line> lines;
  try {
    lines = journal_database(journal, journal_database::access::list).list();
  } catch (const journal_error& error) {
    throw input_error("the journal in " + options.folder + " cannot be read: " + error.what());
  }
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  if (options.as_json) {
    auto list = nlohmann::ordered_json::array();
    for (const auto& one : lines) list.push_back(as_json(one, now));
    print(list.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
    return exit_ok;
  }
  for (const auto& one : lines) print(as_line(one, now));
  return exit_ok;
}

} // namespace

command_run declare_journal(CLI::App& app) {
  const auto options = std::make_shared<list_options>();
  app.add_option("folder", options->folder, "The folder that `troupe serve --journal` was given")->required()->type_name("FOLDER");
  app.add_flag("--json", options->as_json, "Print a JSON array");
  declare_examples(app, examples);
  return [options] { return run_list(*options); };
}

} // namespace troupe
