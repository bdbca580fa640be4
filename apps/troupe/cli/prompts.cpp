#include "apps/troupe/cli/prompts.hpp"
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/session.hpp"
#include "model/error.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <utility>

namespace troupe {
namespace {

bool none_given(const prompt_options& options) {
  return options.texts.empty() && options.words.empty() && options.files.empty() && options.ids.empty();
}

} // namespace

void declare_prompts(CLI::App& app, prompt_options& options) {
  app.add_option("-p,--prompt", options.texts, "A prompt; may be repeated")
    ->allow_extra_args(false)->type_name("TEXT");
  app.add_option("text", options.words, "Prompts, as arguments")->type_name("");
  app.add_option("-f,--prompt-file", options.files, "Read a prompt from a file, - for stdin; may be repeated")
    ->allow_extra_args(false)->type_name("FILE");
  app.add_option("--prompt-ids", options.ids, "A prompt as token ids, such as 1,403,407; may be repeated")
    ->allow_extra_args(false)->type_name("IDS");
  app.add_flag("--lines", options.lines, "Every line of a prompt file (or of stdin) is a prompt of its own");
}

void declare_texts(CLI::App& app, prompt_options& options, bool takes_ids) {
  options.lines = true;
  options.file_option = "--file";
  options.ids_option = "--input-ids";
  app.add_option("text", options.words, "Texts; without any, every line of stdin is one")->type_name("");
  app.add_option("-f,--file", options.files, "Every line of a file is a text, - for stdin; may be repeated")
    ->allow_extra_args(false)->type_name("FILE");
  if (takes_ids)
    app.add_option("--input-ids", options.ids, "A text as token ids, special ones included, such as 5,6,7; may be repeated")
      ->allow_extra_args(false)->type_name("IDS");
}

void declare_image_files(CLI::App& app, prompt_options& options) {
  options.lines = true;
  options.file_option = "--file";
  options.what = "image";
  app.add_option("image", options.words, "Images (PNG, JPEG); without any, every line of stdin names one")->type_name("FILE");
  app.add_option("-f,--file", options.files, "Every line of a file names an image, - for stdin; may be repeated")
    ->allow_extra_args(false)->type_name("FILE");
}

void declare_audio_files(CLI::App& app, prompt_options& options) {
  options.lines = true;
  options.file_option = "--file";
  options.what = "sound";
  app.add_option("audio", options.words, "Files with sound (WAV, FLAC, Ogg, MP3); without any, every line of stdin names one")
    ->type_name("FILE");
  app.add_option("-f,--file", options.files, "Every line of a file names a file with sound, - for stdin; may be repeated")
    ->allow_extra_args(false)->type_name("FILE");
}

void check(const prompt_options& options) {
  for (const std::string& ids : options.ids) parse_ids(ids, options.ids_option);
  if (std::count(options.files.begin(), options.files.end(), "-") > 1) {
    throw usage_error(std::string(options.file_option) + ": stdin can be read only once");
  }
  if (none_given(options) && ::isatty(STDIN_FILENO) == 1) {
    throw usage_error("no " + std::string(options.what) + ": give one as an argument, with " + std::string(options.file_option) + ", or on stdin");
  }
}

prompt_file::prompt_file(const std::string& name, bool lines) : name_(name == "-" ? "stdin" : name), lines_(lines) {
  descriptor_ = name == "-" ? ::dup(STDIN_FILENO) : ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) throw input_error(name_ + ": cannot be opened: " + std::strerror(errno));
}

prompt_file::~prompt_file() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

/// False: nothing came in time.
bool prompt_file::read_more(std::chrono::milliseconds wait) {
  pollfd ready{descriptor_, POLLIN, 0};
  if (::poll(&ready, 1, static_cast<int>(wait.count())) <= 0) return false; // Also when a signal came.
  unread_.erase(0, begin_);
  searched_ -= begin_;
  begin_ = 0;
  constexpr size_t at_once = 1 << 16;
  const size_t before = unread_.size();
  unread_.resize(before + at_once);
  const ssize_t got = ::read(descriptor_, unread_.data() + before, at_once);
  const int problem = errno;
  unread_.resize(before + static_cast<size_t>(std::max<ssize_t>(got, 0)));
  if (got < 0 && problem != EINTR && problem != EAGAIN)
    throw input_error(name_ + ": cannot be read: " + std::strerror(problem));
  ended_ = got == 0;
  return true;
}

/// What is left when all is read.
std::optional<std::string> prompt_file::rest() {
  over_ = true;
  std::string text = unread_.substr(begin_);
  if (lines_ && text.empty()) return std::nullopt; // The line before it was the last.
  if (!lines_ && text.ends_with('\n')) text.pop_back();
  return text;
}

std::optional<std::string> prompt_file::next(std::chrono::milliseconds wait) {
  while (!over_) {
    if (const size_t end = lines_ ? unread_.find('\n', searched_) : std::string::npos; end != std::string::npos) {
      std::string line = unread_.substr(begin_, end - begin_);
      begin_ = searched_ = end + 1;
      if (line.ends_with('\r')) line.pop_back();
      return line;
    }
    searched_ = unread_.size();
    constexpr size_t text_bytes_max = 256 << 20;
    if (unread_.size() - begin_ > text_bytes_max) throw input_error(name_ + ": a text of more than 256 MiB");
    if (ended_) return rest();
    if (!read_more(wait)) return std::nullopt;
  }
  return std::nullopt;
}

prompt_source::prompt_source(const prompt_options& options) : given_(options.texts.begin(), options.texts.end()) {
  given_.insert(given_.end(), options.words.begin(), options.words.end());
  for (const std::string& name : options.files) files_.emplace_back(name, options.lines);
  for (const std::string& ids : options.ids) ids_.push_back(parse_ids(ids, options.ids_option));
  if (none_given(options)) files_.emplace_back("-", options.lines);
  if (files_.empty() || !options.lines) count_ = given_.size() + files_.size() + ids_.size();
}

std::optional<prompt> prompt_source::next(std::chrono::milliseconds wait) {
  if (!given_.empty()) {
    prompt one{std::move(given_.front()), {}};
    given_.pop_front();
    return one;
  }
  while (!files_.empty()) {
    auto text = files_.front().next(wait);
    const bool is_over = files_.front().is_over();
    if (is_over) files_.pop_front();
    if (text) return prompt{std::move(*text), {}};
    if (!is_over) return std::nullopt;
  }
  if (ids_.empty()) return std::nullopt;
  prompt one{"", std::move(ids_.front())};
  ids_.pop_front();
  return one;
}

void throw_no_prompt() { throw input_error("there is no text: not one line was read"); }

prompt first_prompt(prompt_source& prompts) {
  while (!prompts.is_over())
    if (auto one = prompts.next(std::chrono::hours(1))) return std::move(*one);
  throw_no_prompt();
}

prompt_feed::prompt_feed(prompt_source& from, std::function<void(const prompt&)> submit, std::function<bool()> has_room)
  : from_(from), submit_(std::move(submit)), has_room_(std::move(has_room)) {}

bool prompt_feed::feed(bool may_wait) {
  constexpr int at_once = 256;
  try {
    for (int i = 0; i < at_once && has_room_(); ++i) {
      const auto one = from_.next(may_wait && i == 0 ? signal_poll_interval : std::chrono::milliseconds(0));
      if (!one) break;
      submit_(*one);
    }
    return !from_.is_over();
  } catch (const input_error& error) {
    unreadable_ = error.what();
    return false;
  }
}

void prompt_feed::check() const {
  if (!unreadable_.empty()) throw input_error(unreadable_);
}

std::vector<prompt> read_prompts(const prompt_options& options) {
  std::vector<prompt> prompts;
  for (prompt_source source{options}; !source.is_over();)
    if (auto one = source.next(std::chrono::hours(1))) prompts.push_back(std::move(*one));
  if (prompts.empty()) throw_no_prompt();
  return prompts;
}

} // namespace troupe
