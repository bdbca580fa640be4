// troupe chat: a conversation with a model. In a terminal line by line; from a pipe one message and its answer.
#include "apps/service/api/json_text.hpp"
#include "apps/troupe/chat/chat_session.hpp"
#include "apps/troupe/chat/interactive.hpp"
#include "apps/troupe/chat/line_editor.hpp"
#include "apps/troupe/cli/bundled_model.hpp"
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/constraint_options.hpp"
#include "apps/troupe/cli/model_command.hpp"
#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/prompts.hpp"
#include "apps/troupe/cli/session.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "model/error.hpp"
#include "model/utf8.hpp"
#include <CLI/CLI.hpp>
#include <chrono>
#include <unistd.h>

namespace troupe {
namespace {

struct chat_options {
  run_options run;
  std::string system;
  uint32_t tokens_max = 1024;
  sampling_arguments sampling;
  constraint_arguments constraint;
  std::vector<std::string> stop_strings;
  bool json = false;
};

constexpr const char* chat_examples =
  R"(  troupe chat -m qwen3-0.6b-q8_0.gguf
  troupe chat -m qwen3-0.6b-q8_0.gguf --system "Answer in one sentence." --temperature 0.6
  echo "What is an actor?" | troupe chat -m qwen3-0.6b-q8_0.gguf --json
  troupe chat                                the bundled storyteller, which tells stories whatever you say)";

void declare_options(CLI::App& app, chat_options& options) {
  declare_model(app, options.run);
  app.get_option("--model")->required(false)->description("Model: a GGUF file, or a folder as Hugging Face publishes models (default: the "
                                                          "bundled storyteller)");
  app.add_option("--system", options.system, "The system prompt: what the model is told before the conversation")->type_name("TEXT");
  app.add_option("-n,--max-tokens", options.tokens_max, "Most tokens to generate for each answer")
    ->check(CLI::Range(1u, 1u << 30))->capture_default_str()->type_name("N");
  app.add_option("--stop", options.stop_strings, "End an answer before this string; may be repeated")
    ->allow_extra_args(false)->type_name("TEXT");
  declare_sampling(app, options.sampling);
  declare_constraint(app, options.constraint);
  app.add_flag("--json", options.json, "From a pipe: print the answer as one JSON object");
  declare_engine(app, options.run);
  declare_quiet(app, options.run);
  declare_examples(app, chat_examples);
}

/// Everything that can be refused before a file is touched.
void check(chat_options& options, bool is_terminal) {
  if (options.json && is_terminal) throw usage_error("--json: is for a message that comes from a pipe");
  if (!is_utf8(options.system)) throw usage_error("--system: not valid UTF-8");
  for (const std::string& stop : options.stop_strings) {
    if (stop.empty()) throw usage_error("--stop: an empty string would end every answer at once");
    if (!is_utf8(stop)) throw usage_error("--stop: not valid UTF-8, so no answer can contain it");
  }
  check(options.sampling);
  check(options.constraint);
}

generate_request request_of(const chat_options& options) {
  generate_request request;
  request.tokens_max = options.tokens_max;
  request.sampling = options.sampling.chosen;
  request.constraint = options.constraint.chosen;
  request.stop_strings = options.stop_strings;
  return request;
}

/// The message that a pipe brings: all of it, but for one line break at its end.
std::string piped_message() {
  prompt_file in("-", false);
  while (!in.is_over())
    if (auto text = in.next(std::chrono::hours(1)); text && !text->empty()) return std::move(*text);
  throw input_error("there is no message: stdin was empty");
}

int answer_once(chat_session& session, const std::string& message, const chat_options& options) {
  chat_answer answer;
  try {
    answer = session.ask(message, [&](std::string_view text) {
      if (!options.json) print(text);
    });
  } catch (const input_error& error) {
    answer.came.error = error.what();
  }
  const auto& came = answer.came;
  if (options.json) {
    service::json object{{"content", came.text}, {"finish_reason", to_string(came.reason)}};
    if (is_failure(came.reason)) object["error"] = came.error;
    print(service::to_text(object) + "\n");
  } else if (!came.text.empty() && !came.text.ends_with('\n')) {
    print("\n");
  }
  note_answer(answer, options.run.quiet || options.json);
  if (answer.signal != 0) return 128 + answer.signal;
  return is_failure(came.reason) ? exit_failed : exit_ok;
}

void note_model(const chat_options& options, const model_file& model, bool is_bundled) {
  if (options.run.quiet || !model.words.chat_template.empty()) return;
  if (is_bundled) note("without --model this is the bundled storyteller: it is no chat model and tells a story whatever you say");
  else note("warning: " + options.run.model + ": has no chat template, so it may be no chat model");
}

int run_chat(chat_options& options) {
  const bool is_terminal = ::isatty(STDIN_FILENO) == 1;
  check(options, is_terminal);
  const bool is_bundled = options.run.model.empty();
  if (is_bundled) options.run.model = bundled_model("storyteller/storyteller.gguf");
  const std::string message = is_terminal ? "" : piped_message();
  std::optional<line_editor> editor; // Before the engine has threads.
  if (is_terminal) editor.emplace("> ");
  auto model = open_model(options.run);
  require_command(*model, "generate");
  note_model(options, *model, is_bundled);
  auto chat = open_chat_template(*model);
  const auto troupe_engine = start_engine(std::move(model), options.run);
  chat_session session(*troupe_engine, std::move(chat), request_of(options));
  session.set_system(options.system);
  return is_terminal ? converse(session, *editor, options.run.quiet) : answer_once(session, message, options);
}

} // namespace

command_run declare_chat(CLI::App& app) {
  const auto options = std::make_shared<chat_options>();
  declare_options(app, *options);
  return [options] { return run_chat(*options); };
}

} // namespace troupe
