#pragma once
// The interface between main.cpp and the subcommands, and the exit codes.
#include "actors/memory/out_of_memory.hpp"
#include <functional>
#include <stdexcept>

namespace CLI { class App; }

namespace troupe {

/// The process's exit codes; `troupe --help` documents them.
enum exit_code : int {
  exit_ok = 0,
  exit_failed = 1,     // The run itself went wrong, or one of its requests did.
  exit_usage = 2,      // The command line is not acceptable; nothing was read or written.
  exit_input = 3,      // A model or another file is not acceptable, or cannot be read or written.
  exit_internal = 4,   // A bug in troupe.
  exit_memory = out_of_memory_exit_code, // There was not enough memory: the command ended early, maybe at once.
  exit_interrupted = 130, // SIGINT: as shells count, 128 + signal. SIGTERM: 143.
  exit_closed = 141,      // The reader of stdout closed it: 128 + SIGPIPE.
};

/// The options contradict each other or the model. The text is for a person and names the option.
struct usage_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The run went wrong, though neither the input nor the program is to blame.
struct run_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What a parsed command does. Returns an exit_code (or 128 + signal).
using command_run = std::function<int()>;

// One per subcommand, each in a file of its name: declares the options, their help and its examples on `app`.
command_run declare_demo(CLI::App& app);
command_run declare_generate(CLI::App& app);
command_run declare_chat(CLI::App& app);
command_run declare_serve(CLI::App& app);
command_run declare_worker(CLI::App& app);
command_run declare_journal(CLI::App& app);
command_run declare_cluster(CLI::App& app);
command_run declare_logits(CLI::App& app);
command_run declare_tokenize(CLI::App& app);
command_run declare_inspect(CLI::App& app);
command_run declare_export(CLI::App& app);
command_run declare_bench(CLI::App& app);
command_run declare_simulate(CLI::App& app);
command_run declare_chaos(CLI::App& app);
command_run declare_train(CLI::App& app);
command_run declare_evaluate(CLI::App& app);
command_run declare_translate(CLI::App& app);
command_run declare_classify(CLI::App& app);
command_run declare_fill_mask(CLI::App& app);
command_run declare_answer(CLI::App& app);
command_run declare_embed(CLI::App& app);
command_run declare_see(CLI::App& app);
command_run declare_transcribe(CLI::App& app);

} // namespace troupe
