#include "apps/troupe/chat/interactive.hpp"
#include "apps/troupe/chat/line_editor.hpp"
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "model/error.hpp"
#include <csignal>

namespace troupe {
namespace {

/// What follows the command's name, without the spaces around it.
std::string_view without_spaces(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// One conversation, line by line.
class conversation_lines {
public:
  conversation_lines(chat_session& session, bool quiet) : session_(session), quiet_(quiet) {}

  /// A command or a message. An error in it is told.
  void take(const std::string& line) {
    try {
      if (line.starts_with('/')) run_command(line);
      else if (!without_spaces(line).empty()) say(line);
    } catch (const input_error& error) {
      note(error.what());
    }
  }

  bool is_over() const { return is_over_; }

private:
  struct command {
    const char* name;
    const char* argument; // Empty: it takes none.
    bool needs_argument;
    const char* help;
    void (conversation_lines::*run)(const std::string& argument);
  };
  static const command commands[];

  void say(const std::string& message);
  void run_command(std::string_view line);
  void help(const std::string&);
  void clear(const std::string&) { session_.clear(); }
  void save(const std::string& file) { save_messages(file, session_.messages()); }
  void load(const std::string& file);
  void set_system(const std::string& text) { session_.set_system(text); }
  void quit(const std::string&) { is_over_ = true; }

  chat_session& session_;
  bool quiet_, is_over_ = false;
};

const conversation_lines::command conversation_lines::commands[] = {
  {"/help", "", false, "this list", &conversation_lines::help},
  {"/clear", "", false, "forget the conversation; the system prompt stays", &conversation_lines::clear},
  {"/save", "FILE", true, "write the conversation to a file, as JSON messages", &conversation_lines::save},
  {"/load", "FILE", true, "go on with the conversation of a file, in place of this one", &conversation_lines::load},
  {"/system", "TEXT", false, "another system prompt, from now on; without TEXT: none", &conversation_lines::set_system},
  {"/quit", "", false, "end; so does Ctrl-D", &conversation_lines::quit},
};

void conversation_lines::say(const std::string& message) {
  const auto answer = session_.ask(message, [](std::string_view text) { print(text); });
  if (!answer.came.text.empty() && !answer.came.text.ends_with('\n')) print("\n");
  note_answer(answer, quiet_);
}

void conversation_lines::run_command(std::string_view line) {
  const size_t end = line.find_first_of(" \t");
  const auto name = line.substr(0, end);
  const std::string argument(end == std::string_view::npos ? std::string_view() : without_spaces(line.substr(end)));
  for (const auto& one : commands) {
    if (one.name != name) continue;
    if (one.needs_argument && argument.empty()) throw input_error(std::string(name) + ": give a " + one.argument);
    if (*one.argument == '\0' && !argument.empty()) throw input_error(std::string(name) + ": takes nothing behind it");
    return (this->*one.run)(argument);
  }
  throw input_error(std::string(name) + ": no such command; /help lists them. A space before the slash makes it a message");
}

void conversation_lines::help(const std::string&) {
  std::string text;
  for (const auto& one : commands) {
    std::string usage = std::string(one.name) + " " + one.argument;
    usage.resize(14, ' ');
    text += "\n  " + usage + one.help;
  }
  note("every line is a message, but for" + text + "\nCtrl-C stops an answer, or drops the line; twice in a row it ends the conversation.");
}

void conversation_lines::load(const std::string& file) {
  auto messages = load_messages(file);
  const size_t count = messages.size();
  session_.set_messages(std::move(messages));
  if (!quiet_) note(std::to_string(count) + (count == 1 ? " message" : " messages"));
}

} // namespace

void note_answer(const chat_answer& answer, bool quiet) {
  if (is_failure(answer.came.reason)) {
    note(answer.came.error);
  } else if (!quiet) {
    const size_t out = answer.turns_left_out;
    if (out > 0)
      note("the conversation is longer than the model's context: from now on without its oldest "
           + (out == 1 ? "turn" : std::to_string(out) + " turns"));
    note(summary(answer.came) + "; " + std::to_string(answer.prompt_cached) + " of the prompt were cached");
  }
}

int converse(chat_session& session, line_editor& from, bool quiet) {
  interrupt_guard guard;
  conversation_lines lines(session, quiet);
  bool was_interrupted = false; // By a Ctrl-C, and nothing was typed since.
  while (!lines.is_over()) {
    const auto got = from.read();
    if (got.kind == typed_kind::ended) break;
    if (got.kind == typed_kind::line) lines.take(got.text);
    const int signal = interrupt_guard::take();
    if (signal != 0 && signal != SIGINT) return 128 + signal;
    if (signal == 0) {
      was_interrupted = false;
      continue;
    }
    if (got.kind == typed_kind::interrupted && got.was_empty) {
      if (was_interrupted) break;
      if (!quiet) note("Ctrl-C once more, or Ctrl-D, ends the conversation");
    }
    was_interrupted = true;
  }
  return exit_ok;
}

} // namespace troupe
