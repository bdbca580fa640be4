// troupe serve: models behind HTTP, with the APIs that existing clients speak.
#include "actors/faults/plan.hpp"
#include "apps/service/service.hpp"
#include "apps/troupe/cli/bundled_model.hpp"
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/session.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "model/error.hpp"
#include <CLI/CLI.hpp>
#include <chrono>
#include <filesystem>
#include <set>
#include <sys/resource.h>

namespace troupe {
namespace {

struct serve_options {
  run_options run;
  std::vector<std::string> models; // FILE or NAME=FILE
  service::service_options service;
  std::string api_key_file, admin_key_file, plan, training_run;
  double queue_seconds = 10, shutdown_seconds = 30;
  uint64_t body_mebibytes = 16;
  bool logs = false;
  std::string log_format = "text";
  std::string journal, journal_sync = "full";
  double journal_hours = 24;
  uint64_t journal_mebibytes = 1024;
};

constexpr const char* examples =
  R"(  troupe serve                                           the bundled storyteller at http://127.0.0.1:8080
  troupe serve -m qwen3-0.6b-q8_0.gguf --port 0          any free port; the address is the end of the first line on stdout
  troupe serve -m small=a.gguf -m large=b.gguf --api-key-file keys.txt --host 0.0.0.0
  curl -s http://127.0.0.1:8080/v1/completions -H 'content-type: application/json' -d '{"prompt": "Once upon a time", "max_tokens": 40}'
docs/service.md has the rest: endpoints, keys, metrics, a systemd unit.)";

void declare_options(CLI::App& app, serve_options& options) {
  auto& http = options.service.http;
  app.add_option("-m,--model", options.models, "A model to serve, or NAME=MODEL; may be repeated: the first is the default one")
    ->allow_extra_args(false)->type_name("MODEL");
  app.add_option("--host", http.host, "Address to listen at; other than this machine's own needs keys")->capture_default_str();
  app.add_option("--port", http.port, "Port to listen at; 0: any that is free")->capture_default_str();
  app.add_option("--api-key-file", options.api_key_file, "Who may ask: KEY [name=NAME] [weight=W] [requests=N] [priority=P], one a line")
    ->type_name("FILE");
  app.add_option("--admin-key-file", options.admin_key_file, "Who may administer: keys, one a line; without it administration is off")
    ->type_name("FILE");
  app.add_option("--tls-certificate", http.certificate_file, "Certificates in PEM, for https")->type_name("FILE");
  app.add_option("--tls-key", http.key_file, "The private key of the certificate, in PEM")->type_name("FILE");
  app.add_option("--cors-origin", options.service.cors_origins, "A site whose pages may ask, such as https://example.org; *: all; may be repeated")
    ->allow_extra_args(false)->type_name("ORIGIN");
  app.add_option("--max-wait", options.queue_seconds, "Refuse a request that would wait longer for its turn (429)")
    ->check(CLI::Range(0.0, 86400.0))->capture_default_str()->type_name("SECONDS");
  app.add_option("--max-waiting", options.service.waiting_max, "Refuse requests while so many wait")->capture_default_str()->type_name("N");
  app.add_option("--max-body", options.body_mebibytes, "Largest body of a request")->check(CLI::Range(1, 1024))->capture_default_str()->type_name("MIB");
  app.add_option("--max-connections", http.connections_max, "Connections at once")->check(CLI::Range(1, 1000000))->capture_default_str()->type_name("N");
  app.add_option("--shutdown-time", options.shutdown_seconds, "How long requests may go on after SIGTERM or Ctrl-C")
    ->check(CLI::Range(0.0, 86400.0))->capture_default_str()->type_name("SECONDS");
  app.add_option("--journal", options.journal, "Folder in which kept requests survive the end of this process (docs/journal.md)")
    ->type_name("FOLDER");
  app.add_option("--journal-sync", options.journal_sync, "What they survive: full: the power's loss, too; process: the end of the process only")
    ->check(CLI::IsMember({"full", "process"}))->capture_default_str();
  app.add_option("--journal-hours", options.journal_hours, "How long answers stay in the journal after their end")
    ->check(CLI::Range(0.0, 1e6))->capture_default_str()->type_name("HOURS");
  app.add_option("--journal-size", options.journal_mebibytes, "Beyond it the oldest answers leave the journal")
    ->check(CLI::Range(1, 1 << 20))->capture_default_str()->type_name("MIB");
  app.add_option("--training", options.training_run, "The output of a run of troupe train: the dashboard shows its loss as it grows")
    ->type_name("FOLDER");
  app.add_option("--plan", options.plan, "Inject the faults of a plan (docs/faults.md) while serving")->type_name("FILE");
  app.add_flag("--log", options.logs, "A line on stderr for each request and each generation; else for warnings only");
  app.add_option("--log-format", options.log_format, "How lines on stderr look: text: name=value; json: an object each")
    ->check(CLI::IsMember({"text", "json"}))->capture_default_str();
  declare_engine(app, options.run);
  declare_quiet(app, options.run);
  declare_examples(app, examples);
}

struct named_model {
  std::string name, path;
};

named_model name_of(const std::string& text) {
  const auto equals = text.find('=');
  if (equals != std::string::npos && equals > 0 && text.substr(0, equals).find('/') == std::string::npos)
    return {text.substr(0, equals), text.substr(equals + 1)};
  const std::filesystem::path path(text);
  const auto last = path.has_filename() ? path : path.parent_path();
  return {last.extension() == ".gguf" ? last.stem().string() : last.filename().string(), text};
}

std::vector<service::model_to_serve> start_models(serve_options& options) {
  if (options.models.empty()) options.models = {bundled_model("storyteller/storyteller.gguf")};
  const auto plan = options.plan.empty() ? nullptr : std::make_shared<const v1::FaultPlan>(read_fault_plan(options.plan));
  std::set<std::string> names;
  std::vector<service::model_to_serve> models;
  for (const auto& text : options.models) {
    auto [name, path] = name_of(text);
    if (!names.insert(name).second) throw usage_error("--model: two models are named \"" + name + "\": say NAME=MODEL");
    options.run.model = path;
    auto log = [to = options.service.log, name](log_level level, std::string_view what) {
      to(service::log_record{"engine", level}.add("model", name).add("message", std::string(what)));
    };
    auto runs = start_engine(open_model(options.run), options.run, plan, std::move(log));
    models.push_back({std::move(name), std::move(runs)});
  }
  return models;
}

/// Each connection needs a descriptor; what a process may have is usually more than what it begins with.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int run_serve(serve_options& options) {
  raise_descriptor_limit();
  auto& served = options.service;
  if (!options.api_key_file.empty()) served.api_key_file = options.api_key_file;
  if (!options.admin_key_file.empty()) served.admin_key_file = options.admin_key_file;
  if (served.http.certificate_file.empty() != served.http.key_file.empty())
    throw usage_error("--tls-certificate and --tls-key are needed together");
  const auto milliseconds = [](double seconds) { return std::chrono::milliseconds(int64_t(seconds * 1000)); };
  served.queue_time_max = milliseconds(options.queue_seconds);
  served.shutdown_time = milliseconds(options.shutdown_seconds);
  served.http.body_bytes_max = size_t(options.body_mebibytes << 20);
  if (!options.journal.empty()) {
    auto& journal = served.journal.emplace();
    journal.folder = options.journal;
    journal.sync = options.journal_sync == "full" ? journal_sync::full : journal_sync::process;
    journal.retention = std::chrono::seconds(int64_t(options.journal_hours * 3600));
    journal.bytes_max = options.journal_mebibytes << 20;
  }
  served.training_run = options.training_run;
  served.log = [logs = options.logs, as_json = options.log_format == "json"](const service::log_record& record) {
    if (!logs && record.level == log_level::info) return;
    if (!as_json) return note(service::to_line(record));
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    print_error(service::to_json_line(record, std::chrono::duration_cast<std::chrono::milliseconds>(now).count()) + "\n");
  };
  auto models = start_models(options);
  service::service runs(std::move(served), std::move(models));
  print("troupe serves at " + runs.address() + "\n");
  const int signal = runs.run();
  return signal == 0 ? exit_ok : 128 + signal;
}

} // namespace

command_run declare_serve(CLI::App& app) {
  const auto options = std::make_shared<serve_options>();
  declare_options(app, *options);
  return [options] {
    options->service.version = program_version();
    return run_serve(*options);
  };
}

} // namespace troupe
