#include "apps/troupe/demo/demo_screen.hpp"
#include "apps/troupe/cli/columns.hpp"
#include "apps/troupe/demo/demo_plan.hpp"
#include <algorithm>
#include <cstdio>
#include <limits>

namespace troupe {
namespace {

constexpr size_t columns_max = 100; // Longer lines are hard to read.
constexpr size_t rows_each_max = 6;

std::string title(size_t story) { return "Story " + std::to_string(story + 1); }

std::string seconds_text(double ms) {
  char text[32];
  std::snprintf(text, sizeof text, "%5.1f s", ms / 1000);
  return text;
}

std::string ms_text(double ms) {
  char text[32];
  std::snprintf(text, sizeof text, ms < 9.95 ? "%.1f ms" : "%.0f ms", ms);
  return text;
}

std::vector<v1::FaultInjection> kills_of(const v1::FaultLog& log) {
  std::vector<v1::FaultInjection> all;
  std::ranges::copy_if(log.injections(), std::back_inserter(all), is_kill);
  return all;
}

} // namespace

std::vector<std::string> wrapped(std::string_view text, size_t columns) {
  std::vector<std::string> lines;
  columns = std::max<size_t>(columns, 1);
  for (size_t at = 0; at < text.size();) {
    const size_t paragraph_end = std::min(text.find('\n', at), text.size());
    std::string line;
    for (; at < paragraph_end;) {
      const size_t word_end = std::min(text.find(' ', at), paragraph_end);
      const std::string word = cut_to_columns(text.substr(at, word_end - at), columns);
      if (!line.empty() && terminal_columns(line) + 1 + terminal_columns(word) > columns) {
        lines.push_back(std::move(line));
        line.clear();
      }
      line += (line.empty() ? "" : " ") + word;
      at = std::min(word_end + 1, paragraph_end);
    }
    lines.push_back(std::move(line));
    at = paragraph_end + 1;
  }
  return lines;
}

size_t complete_sentences(std::string_view text) {
  for (size_t end = text.size(); end > 0; --end) {
    const char last = text[end - 1];
    if (last == '\n') return end;
    if (last != ' ' || end < 2) continue;
    const char before = text[end - 2] == '"' && end > 2 ? text[end - 3] : text[end - 2];
    if (before == '.' || before == '!' || before == '?') return end;
  }
  return 0;
}

std::vector<std::string> kill_lines(const v1::FaultInjection& kill) {
  const std::string what = describe_actor(kill.path());
  std::vector<std::string> lines{seconds_text(kill.time_ms()) + "  KILLED     " + what};
  if (kill.has_recovered_ms()) {
    std::string line = seconds_text(kill.recovered_ms()) + "  RECOVERED  after " + ms_text(kill.recovered_ms() - kill.time_ms()) +
                       ": a new actor took its place";
    if (kill.rows_replayed() > 0) line += ", what it had known was computed again (" + std::to_string(kill.rows_replayed()) + " rows)";
    lines.push_back(std::move(line));
  }
  return lines;
}

demo_screen::demo_screen(size_t stories, std::optional<terminal_size> size) : size_(size), printed_(stories) {}

std::vector<std::string> demo_screen::frame(const std::vector<std::string>& texts, const v1::FaultLog& log, size_t rows_each) const {
  const size_t columns = std::min<size_t>(size_->columns > 1 ? size_->columns - 1 : 1, columns_max);
  const bool whole = rows_each == std::numeric_limits<size_t>::max();
  std::vector<std::string> lines;
  for (size_t story = 0; story < texts.size(); ++story) {
    lines.push_back(title(story));
    auto text = wrapped(texts[story], columns - std::min<size_t>(columns - 1, 2));
    if (text.size() > rows_each) text.erase(text.begin(), text.end() - ptrdiff_t(rows_each));
    for (const auto& line : text) lines.push_back("  " + line);
    if (!whole) lines.resize(lines.size() + rows_each - text.size());
    lines.emplace_back();
  }
  for (const auto& kill : kills_of(log))
    for (const auto& line : kill_lines(kill)) lines.push_back(whole ? line : cut_to_columns(line, columns));
  return lines;
}

void demo_screen::redraw(const std::vector<std::string>& lines) {
  std::string out;
  if (drawn_ > 0) out += "\x1b[" + std::to_string(drawn_) + "A\r";
  for (const auto& line : lines) out += line + "\x1b[K\n";
  print(out + "\x1b[J"); // One write, so that nothing flickers.
  drawn_ = lines.size();
}

void demo_screen::print_new_lines(const std::vector<std::string>& texts, const v1::FaultLog& log, bool all) {
  std::string out;
  for (size_t story = 0; story < texts.size(); ++story) {
    const std::string_view text = texts[story];
    const size_t end = all ? text.size() : std::max(printed_[story], complete_sentences(text));
    for (const auto& line : wrapped(text.substr(printed_[story], end - printed_[story]), std::numeric_limits<size_t>::max()))
      if (!line.empty()) out += "[" + std::to_string(story + 1) + "] " + line + "\n";
    printed_[story] = end;
  }
  const auto kills = kills_of(log);
  kills_.resize(std::max(kills_.size(), kills.size()));
  for (size_t i = 0; i < kills.size(); ++i) {
    const auto lines = kill_lines(kills[i]);
    for (; kills_[i] < lines.size(); ++kills_[i]) out += "*** " + lines[kills_[i]] + "\n";
  }
  if (!out.empty()) print(out);
}

void demo_screen::show(const std::vector<std::string>& texts, const v1::FaultLog& log) {
  if (!size_) return print_new_lines(texts, log, false);
  const size_t besides = 2 * texts.size() + 7; // Titles and blank lines, the kills, the cursor's line.
  const size_t room = size_->rows > besides ? size_->rows - besides : 0;
  redraw(frame(texts, log, std::clamp<size_t>(room / texts.size(), 1, rows_each_max)));
}

void demo_screen::finish(const std::vector<std::string>& texts, const v1::FaultLog& log) {
  if (!size_) return print_new_lines(texts, log, true);
  redraw(frame(texts, log, std::numeric_limits<size_t>::max()));
}

} // namespace troupe
