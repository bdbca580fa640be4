#pragma once
// Lines that a person types into a terminal, with editing and a history.
#include <memory>
#include <string>

namespace troupe {

enum class typed_kind {
  line,
  interrupted, // By a signal: interrupt_guard has it.
  ended,       // Ctrl-D in an empty line, or the terminal is gone.
};

struct typed {
  typed_kind kind = typed_kind::line;
  std::string text;       // UTF-8, without the line break. Where interrupted: empty.
  bool was_empty = false; // Where interrupted: nothing had been typed.
};

/// Stdin is a terminal. The prompt and what is typed are shown on stderr, so that stdout is left for results. One at a time, and in one
/// thread; make it before other threads run, since it sets the process's LC_CTYPE to a UTF-8 locale. An interrupt_guard must exist while
/// read() runs. Throws run_error where no editor can be made.
class line_editor {
public:
  explicit line_editor(std::string prompt);
  ~line_editor();
  line_editor(const line_editor&) = delete;
  line_editor& operator=(const line_editor&) = delete;

  /// Waits for a line. The terminal is in its ordinary mode again when it returns. What is not UTF-8 becomes U+FFFD.
  typed read();

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace troupe
