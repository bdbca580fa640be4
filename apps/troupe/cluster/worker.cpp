// troupe worker: layers of models, computed for others.
#include "actors/worker_node.hpp"
#include "actors/cluster/keys.hpp"
#include "actors/cluster/worker_process.hpp"
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "model/error.hpp"
#include <CLI/CLI.hpp>
#include <charconv>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <poll.h>
#include <unistd.h>

namespace troupe {
namespace {

struct worker_arguments {
  std::string listen = "127.0.0.1:7070", name = "worker", keys, model;
  run_options run;
  bool until_end_of_input = false;
};

constexpr const char* worker_examples =
  R"(  troupe cluster keys keys coordinator east west      once; then copy keys/east.* and keys/authority.crt to the machine east
  troupe worker --listen 0.0.0.0:7070 --name east --keys keys
  troupe serve -m model.gguf --cluster cluster.json    on the machine that clients speak to
docs/cluster.md has the rest.)";

void take_address(const std::string& text, worker_node_options& into) {
  const auto colon = text.rfind(':');
  const std::string port = colon == std::string::npos ? "" : text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), into.port);
  if (port.empty() || error != std::errc() || end != port.data() + port.size())
    throw usage_error("--listen: \"" + text + "\" is no HOST:PORT");
  into.host = text.substr(0, colon);
}

/// Until a signal comes, or the end of stdin where that counts. Returns the signal, or 0.
int wait_for_end(const worker_node& node, bool until_end_of_input) {
  interrupt_guard guard;
  while (interrupt_guard::signal() == 0) {
    if (node.has_ended()) throw run_error("the worker has ended: this is a bug in troupe");
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (poll(&input, until_end_of_input ? 1 : 0, 200) <= 0) continue;
    char bytes[256];
    const auto count = read(STDIN_FILENO, bytes, sizeof bytes);
    if (count == 0 || (count < 0 && errno != EINTR)) return 0;
  }
  return interrupt_guard::signal();
}

int run_worker(const worker_arguments& arguments) {
  worker_node_options options;
  take_address(arguments.listen, options);
  options.keys = keys_in(arguments.keys, arguments.name);
  options.threads = arguments.run.threads;
  options.model = arguments.model;
  options.log = [quiet = arguments.run.quiet](log_level level, std::string_view text) {
    if (!quiet || level != log_level::info) note("worker: " + std::string(text));
  };
  worker_node node(std::move(options));
  const auto host = arguments.listen.substr(0, arguments.listen.rfind(':'));
  print(worker_announcement + host + ":" + std::to_string(node.port()) + "\n");
  const int signal = wait_for_end(node, arguments.until_end_of_input);
  node.stop();
  // CAF would wait for the thread of an actor that has ended until nobody holds its handle, which connections that are gone may do for
  // ever.
  std::quick_exit(signal == 0 ? int(exit_ok) : 128 + signal);
}

} // namespace

command_run declare_worker(CLI::App& app) {
  const auto arguments = std::make_shared<worker_arguments>();
  app.add_option("--listen", arguments->listen, 
                 "Address for coordinators; port 0: any that is free. The address is the end of the first line on stdout")
    ->capture_default_str()->type_name("HOST:PORT");
  app.add_option("--name", arguments->name, "By which name this node has its keys")->capture_default_str()->type_name("NODE");
  app.add_option("--keys", arguments->keys, "The folder with NODE.key, NODE.crt and authority.crt (troupe cluster keys)")
    ->required()->type_name("FOLDER");
  app.add_option("-m,--model", arguments->model, "Where the model is here, if not at the path that the coordinator has it at")
    ->type_name("PATH");
  declare_threads(app, arguments->run);
  app.add_flag("--until-end-of-input", arguments->until_end_of_input, "End with the end of stdin, too: for programs that start workers");
  declare_quiet(app, arguments->run);
  declare_examples(app, worker_examples);
  return [arguments] { return run_worker(*arguments); };
}

} // namespace troupe
