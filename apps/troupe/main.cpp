// The command `troupe`: one table of subcommands, which prints the help and dispatches.
#include "actors/engine.hpp"
#include "actors/memory/out_of_memory.hpp"
#include "apps/troupe/cli/bundled_model.hpp"
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "model/error.hpp"
#include <CLI/CLI.hpp>
#include <csignal>
#include <new>
#include <optional>
#include <system_error>
#include <vector>

namespace troupe {
namespace {

struct command {
  const char* name;
  command_run (*declare)(CLI::App&);
  const char* summary;
};

constexpr command commands[] = {
  {"demo", declare_demo, "tell three stories at once while actors are killed, and show that nothing is lost"},
  {"generate", declare_generate, "continue one or several prompts, streaming the text"},
  {"chat", declare_chat, "have a conversation with a model, in the terminal"},
  {"serve", declare_serve, "serve models over HTTP: OpenAI's and Anthropic's APIs"},
  {"worker", declare_worker, "compute layers of models for other processes, on this machine or on others"},
  {"journal", declare_journal, "list what a journal of `troupe serve` holds"},
  {"cluster", declare_cluster, "make keys for the nodes of a cluster; see and drain the workers of a service"},
  {"translate", declare_translate, "turn source texts into target texts, by beam search or drawn at random"},
  {"classify", declare_classify, "give texts labels, with probabilities"},
  {"fill-mask", declare_fill_mask, "find the likeliest tokens in place of a mask"},
  {"answer", declare_answer, "find the answer to a question in a text"},
  {"embed", declare_embed, "turn texts into vectors, or compare two"},
  {"see", declare_see, "give images labels, with probabilities, or turn them into vectors"},
  {"transcribe", declare_transcribe, "write down what is said in sound, and when; or its translation"},
  {"evaluate", declare_evaluate, "compare a model's answers with right ones: exact match, BLEU, chrF, accuracy, F1"},
  {"train", declare_train, "train a model, or go on training one; faults are survived with the same weights, bit for bit"},
  {"logits", declare_logits, "write the logits (and hidden states) of given tokens to a safetensors file"},
  {"tokenize", declare_tokenize, "turn text into token ids, and back"},
  {"inspect", declare_inspect, "show a model's facts, its tensors, its tree of actors"},
  {"export", declare_export, "write a model to a GGUF file, or to a folder, in half precision if you like"},
  {"bench", declare_bench, "measure prefill and decode, and where a token's time goes"},
  {"simulate", declare_simulate, "run the actors in simulation with random faults; every run is replayable by its seed"},
  {"chaos", declare_chaos, "inject the faults of a plan, and check that every request gets the same bytes"},
};

constexpr const char* footer = R"(
Results go to stdout, everything else to stderr. `troupe COMMAND --help` shows a command's options with examples.

Exit codes:
  0    everything asked for was done
  1    the run failed, or one of its requests did (the others are unaffected)
  2    wrong usage: the command line is not acceptable
  3    bad input: a model or another file is missing, damaged, not supported or cannot be written
  4    a bug in troupe
  5    out of memory
  130  cancelled by Ctrl-C (143: by SIGTERM); a second Ctrl-C ends at once
  141  the reader of the output closed it)";

/// Runs `run` and turns what it throws into a message and an exit code.
int run_guarded(const command& chosen, const command_run& run) {
  const auto fail = [&](exit_code code, const std::string& text) {
    note(std::string(chosen.name) + ": " + text);
    return code;
  };
  try {
    return run();
  } catch (const usage_error& error) {
    return fail(exit_usage, error.what() + std::string("\nSee: troupe ") + chosen.name + " --help");
  } catch (const input_error& error) {
    return fail(exit_input, error.what());
  } catch (const output_closed&) {
    return exit_closed;
  } catch (const run_error& error) {
    return fail(exit_failed, error.what());
  } catch (const engine_error& error) {
    return fail(exit_failed, error.what());
  } catch (const output_error& error) {
    return fail(exit_failed, error.what());
  } catch (const std::system_error& error) { // Threads that cannot be created.
    return fail(exit_failed, error.what());
  } catch (const std::bad_alloc&) {
    return fail(exit_memory, "out of memory");
  } catch (const std::exception& error) {
    return fail(exit_internal, error.what() + std::string("\nThis is a bug in troupe."));
  }
}

int troupe_main(int argc, char** argv) {
  end_when_out_of_memory();
  std::signal(SIGPIPE, SIG_IGN); // A closed output is noticed at the write, so that the actors stop in order.
  std::signal(SIGXFSZ, SIG_IGN); // So is a limit on the length of files.
  CLI::App app{"troupe runs transformers as supervised actors.", "troupe"};
  app.set_version_flag("--version", "troupe " + program_version());
  app.require_subcommand(1);
  app.footer(footer);

  struct declared {
    const command* entry;
    CLI::App* app;
    command_run run;
  };
  std::vector<declared> all;
  for (const command& entry : commands) {
    CLI::App* sub = app.add_subcommand(entry.name, entry.summary);
    all.push_back({&entry, sub, entry.declare(*sub)});
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) { // --help, --version
    return app.exit(success) == 0 ? exit_ok : exit_internal;
  } catch (const CLI::ParseError& error) {
    std::string name = "troupe";
    for (auto parsed = app.get_subcommands(); !parsed.empty(); parsed = parsed.front()->get_subcommands())
      name += " " + parsed.front()->get_name();
    note(std::string(error.what()) + "\nSee: " + name + " --help");
    return exit_usage;
  }
  for (const declared& one : all) {
    if (one.app->parsed()) return run_guarded(*one.entry, one.run);
  }
  return exit_internal;
}

} // namespace
} // namespace troupe

int main(int argc, char** argv) { return troupe::troupe_main(argc, argv); }
