#pragma once
// Where prompts come from: the command line, files, stdin. A file of many is read as they are needed.
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace CLI { class App; }

namespace troupe {

struct prompt_options {
  std::vector<std::string> texts; // --prompt
  std::vector<std::string> words; // Without an option's name before it.
  std::vector<std::string> files; // --prompt-file; "-" is stdin.
  std::vector<std::string> ids;   // --prompt-ids: a prompt as token ids each.
  bool lines = false;             // Every line of a file is a prompt.
  // What they are called in errors.
  const char* file_option = "--prompt-file";
  const char* ids_option = "--prompt-ids";
  const char* what = "text";
};

void declare_prompts(CLI::App& app, prompt_options& options);
/// The same for commands with one answer to each text: texts as arguments, lines of files (--file) or of stdin, and with `takes_ids`
/// also token ids (--input-ids).
void declare_texts(CLI::App& app, prompt_options& options, bool takes_ids);
/// Names of images instead of texts.
void declare_image_files(CLI::App& app, prompt_options& options);
/// Names of files with sound.
void declare_audio_files(CLI::App& app, prompt_options& options);
/// Throws usage_error for what can be seen without reading anything.
void check(const prompt_options& options);

struct prompt {
  std::string text;
  std::vector<uint32_t> ids; // Where the prompt was given as ids; then text is empty.
};

/// A file, or a pipe that may have nothing to read at the moment. Reads as far as it is asked.
class prompt_file {
public:
  /// "-": stdin. `lines`: every line is a prompt, else all of it is one. Throws input_error when it cannot be opened.
  prompt_file(const std::string& name, bool lines);
  prompt_file(const prompt_file&) = delete;
  ~prompt_file();
  /// The next prompt, without its line break. Nothing: none came within `wait`, or is_over(). Throws input_error.
  std::optional<std::string> next(std::chrono::milliseconds wait);
  bool is_over() const { return over_; }

private:
  bool read_more(std::chrono::milliseconds wait);
  std::optional<std::string> rest();

  std::string name_;
  bool lines_;
  int descriptor_ = -1;
  std::string unread_;
  size_t begin_ = 0, searched_ = 0; // In unread_: of the next prompt; up to where it has no line break.
  bool ended_ = false, over_ = false; // All is read; all prompts were taken.
};

/// All prompts, in order: texts, words, files, ids. Stdin when nothing was given and it is not a terminal. The line
/// break at the end of a file (and of each line) is not part of the prompt. A file is read as its prompts are taken. Throws
/// input_error for a file that cannot be read.
class prompt_source {
public:
  explicit prompt_source(const prompt_options& options);
  /// Nothing: none came within `wait`, or is_over(). Only a pipe lets wait.
  std::optional<prompt> next(std::chrono::milliseconds wait);
  bool is_over() const { return given_.empty() && files_.empty() && ids_.empty(); }
  /// How many there are in all; nothing: files have to be read for that.
  std::optional<uint64_t> count() const { return count_; }

private:
  std::deque<std::string> given_;
  std::deque<prompt_file> files_;
  std::deque<std::vector<uint32_t>> ids_;
  std::optional<uint64_t> count_;
};

/// The first one; waits for it, so that a model is not loaded for nothing. Throws input_error when there is none.
prompt first_prompt(prompt_source& prompts);

/// Hands prompts on as they are needed.
class prompt_feed {
public:
  /// has_room: whether one more may be submitted.
  prompt_feed(prompt_source& from, std::function<void(const prompt&)> submit, std::function<bool()> has_room);
  /// Hands on what there is, then returns, so that events and signals have their turn. may_wait: for the next one, for
  /// signal_poll_interval. False: there are no more. A file that cannot be read any further ends there.
  bool feed(bool may_wait);
  /// Throws input_error when not all prompts could be read.
  void check() const;

private:
  prompt_source& from_;
  std::function<void(const prompt&)> submit_;
  std::function<bool()> has_room_;
  std::string unreadable_;
};

/// All of them. Throws input_error too when there is no prompt at all.
std::vector<prompt> read_prompts(const prompt_options& options);
/// What is thrown then.
[[noreturn]] void throw_no_prompt();

} // namespace troupe
