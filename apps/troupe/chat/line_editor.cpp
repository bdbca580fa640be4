// On libedit, which has a BSD licence. It is asked for characters by its own calls and not by its signal handlers: those send a signal to
// the whole process group, and a signal may come to any of our threads.
#include "apps/troupe/chat/line_editor.hpp"
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/session.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "model/utf8.hpp"
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstring>
#include <histedit.h>
#include <langinfo.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>
#include <utility>

namespace troupe {

struct line_editor::state {
  std::string prompt;
  EditLine* edits = nullptr;
  History* history = nullptr;
  std::string bytes; // Read and not yet taken as characters.
  bool interrupted = false, was_empty = false;

  ~state() {
    if (history) ::history_end(history);
    if (edits) ::el_end(edits);
  }

  static state& of(EditLine* edits) {
    void* data = nullptr;
    ::el_get(edits, EL_CLIENTDATA, &data);
    return *static_cast<state*>(data);
  }
  // libedit's callbacks. read_character: 1 with a character, 0 at the end, -1 when a signal came.
  static char* prompt_of(EditLine* edits) { return of(edits).prompt.data(); }
  static int read_character(EditLine* edits, wchar_t* into);
  bool take_character(wchar_t& into);
  void keep_up();
};

namespace {

/// libedit reads and writes characters as LC_CTYPE says. Debian has C.UTF-8 always.
void use_utf8() {
  const char* chosen = std::setlocale(LC_CTYPE, "");
  if (!chosen || std::strcmp(::nl_langinfo(CODESET), "UTF-8") != 0) std::setlocale(LC_CTYPE, "C.UTF-8");
}

} // namespace

/// From bytes. False: they are no whole character yet.
bool line_editor::state::take_character(wchar_t& into) {
  if (bytes.empty()) return false;
  const auto step = utf8_next(bytes, 0);
  if (step.state == utf8_state::unfinished) return false;
  into = step.state == utf8_state::whole ? wchar_t(utf8_code_point(std::string_view(bytes).substr(0, step.bytes))) : L'\ufffd';
  bytes.erase(0, step.bytes);
  return true;
}

/// The terminal may have changed its size; and after Ctrl-Z and `fg` it is in the mode that the shell has left.
void line_editor::state::keep_up() {
  int edits_lines = 0;
  ::el_get(edits, EL_EDITMODE, &edits_lines);
  termios now{};
  if (!edits_lines || ::tcgetattr(STDIN_FILENO, &now) != 0 || (now.c_lflag & ICANON) == 0) return;
  ::el_set(edits, EL_PREP_TERM, 0);
  ::el_set(edits, EL_PREP_TERM, 1);
  ::el_resize(edits);
  ::el_set(edits, EL_REFRESH);
}

int line_editor::state::read_character(EditLine* edits, wchar_t* into) {
  auto& st = of(edits);
  while (!st.take_character(*into)) {
    if (interrupt_guard::signal() != 0) {
      const auto* line = ::el_wline(edits);
      st.interrupted = true;
      st.was_empty = line->buffer == line->lastchar && st.bytes.empty();
      return -1;
    }
    pollfd ready{STDIN_FILENO, POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(signal_poll_interval.count())) <= 0) {
      st.keep_up();
      continue;
    }
    char byte = 0;
    const ssize_t got = ::read(STDIN_FILENO, &byte, 1);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) return 0;
    st.bytes += byte;
  }
  return 1;
}

line_editor::line_editor(std::string prompt) : state_(std::make_unique<state>()) {
  constexpr int lines_kept = 1000;
  use_utf8();
  auto& st = *state_;
  st.prompt = std::move(prompt);
  st.edits = ::el_init("troupe", stdin, stderr, stderr);
  st.history = ::history_init();
  if (!st.edits || !st.history) throw run_error("this terminal cannot be used for editing lines");
  HistEvent event;
  ::history(st.history, &event, H_SETSIZE, lines_kept);
  ::history(st.history, &event, H_SETUNIQUE, 1);
  ::el_set(st.edits, EL_CLIENTDATA, &st);
  ::el_set(st.edits, EL_EDITOR, "emacs");
  ::el_set(st.edits, EL_HIST, ::history, st.history);
  ::el_set(st.edits, EL_PROMPT, state::prompt_of);
  ::el_wset(st.edits, EL_GETCFN, state::read_character);
}

line_editor::~line_editor() = default;

typed line_editor::read() {
  auto& st = *state_;
  st.interrupted = st.was_empty = false;
  ::el_resize(st.edits);
  ::el_set(st.edits, EL_PREP_TERM, 1); // Before the prompt is shown, and not behind it: what is typed at the prompt is the editor's.
  int length = 0;
  const char* line = ::el_gets(st.edits, &length);
  if (!line || length <= 0) {
    std::fputc('\n', stderr); // The cursor is behind the prompt.
    return {st.interrupted ? typed_kind::interrupted : typed_kind::ended, {}, st.was_empty};
  }
  std::string text(line, size_t(length));
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  HistEvent event;
  if (!text.empty()) ::history(st.history, &event, H_ENTER, text.c_str());
  return {typed_kind::line, std::move(text), false};
}

} // namespace troupe
