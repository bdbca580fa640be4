#pragma once
// How a demonstration is shown: on a terminal texts grow side by side in place, with what happens to the actors below; elsewhere as
// lines, a sentence at a time.
#include "apps/troupe/cli/terminal.hpp"
#include "troupe/v1/faults.pb.h"
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// Words in lines of at most `columns`; a line break in the text begins a new one. A longer word is cut.
std::vector<std::string> wrapped(std::string_view text, size_t columns);

/// How much of the text is complete: up to its last end of a sentence.
size_t complete_sentences(std::string_view text);

/// "  2.1 s  KILLED     attention head 0 of layer 1", and a line about its recovery, where that is known.
std::vector<std::string> kill_lines(const v1::FaultInjection& kill);

class demo_screen {
public:
  /// Without a size: the output is no terminal.
  demo_screen(size_t stories, std::optional<terminal_size> size);

  /// Shows the texts as far as they have come, and the kills so far. As often as you like.
  void show(const std::vector<std::string>& texts, const v1::FaultLog& log);
  /// Shows all in full. Nothing is redrawn after that.
  void finish(const std::vector<std::string>& texts, const v1::FaultLog& log);

private:
  std::vector<std::string> frame(const std::vector<std::string>& texts, const v1::FaultLog& log, size_t rows_each) const;
  void redraw(const std::vector<std::string>& lines);
  void print_new_lines(const std::vector<std::string>& texts, const v1::FaultLog& log, bool all);

  std::optional<terminal_size> size_;
  size_t drawn_ = 0;            // Lines on the terminal that are redrawn.
  std::vector<size_t> printed_; // Of each text.
  std::vector<size_t> kills_;   // Lines printed of each kill.
};

} // namespace troupe
