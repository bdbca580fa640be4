#pragma once
// A conversation in the terminal.
#include "apps/troupe/chat/chat_session.hpp"

namespace troupe {

class line_editor;

/// Reads lines until /quit, Ctrl-D, or Ctrl-C twice in a row: messages, and commands, which begin with a slash. Answers go to stdout, all
/// else to stderr. An error is told, and the conversation goes on. quiet: errors only. Returns an exit_code, or 128 + SIGTERM.
int converse(chat_session& session, line_editor& from, bool quiet);

/// "troupe: 5 prompt tokens, ..." and what else is to be said about an answer, on stderr.
void note_answer(const chat_answer& answer, bool quiet);

} // namespace troupe
