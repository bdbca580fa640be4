// troupe transcribe: what was said in sound, and when.
#include "apps/transcription/transcription.hpp"
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/model_command.hpp"
#include "apps/troupe/cli/options.hpp"
#include "apps/troupe/cli/prompts.hpp"
#include "apps/troupe/cli/session.hpp"
#include "apps/troupe/cli/tasks.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "model/error.hpp"
#include <CLI/CLI.hpp>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>

namespace troupe {
namespace {

using json = nlohmann::ordered_json;

enum class transcript_format : uint8_t { txt, srt, vtt, objects };

struct transcribe_options {
  run_options run;
  prompt_options files;
  transcription_options how;
  transcript_format format = transcript_format::txt;
  bool timestamps = false, json = false;
};

constexpr const char* transcribe_examples =
  R"(  troupe transcribe -m whisper-base interview.mp3
  troupe transcribe -m ggml-base.bin interview.mp3 --timestamps --language de
  troupe transcribe -m whisper-small talk.flac --translate --beams 5 --format srt > talk.srt
  troupe transcribe -m whisper-base *.wav --json > transcripts.jsonl
  find . -name '*.ogg' | troupe transcribe -m whisper-base

WAV, FLAC, Ogg and MP3 are read, at any rate, window by window: a sound of many hours takes no more memory than a short one.
With --json each file gives {"file": ..., "language": ..., "duration": ..., "text": ..., "segments": [...]}.)";

void declare_options(CLI::App& app, transcribe_options& options) {
  declare_model(app, options.run);
  declare_audio_files(app, options.files);
  const std::map<std::string, transcript_format> formats{{"txt", transcript_format::txt}, {"srt", transcript_format::srt},
                                                         {"vtt", transcript_format::vtt}, {"json", transcript_format::objects}};
  auto* format = app.add_option("--format", options.format, "Lines of text, subtitles (SubRip, WebVTT), or a JSON object for each file")
    ->transform(CLI::CheckedTransformer(formats).description(""))->type_name("txt|srt|vtt|json")->default_str("txt");
  app.add_flag("--json", options.json, "As --format json")->excludes(format);
  app.add_flag("--timestamps", options.timestamps, "When each line was said, before it");
  app.add_option("-l,--language", options.how.language, "What is spoken: en, de, ... (default: it is detected in the first window)")
    ->type_name("CODE");
  app.add_flag("--translate", options.how.translates, "Write English, whatever is spoken");
  app.add_option("--prompt", options.how.prompt, "A text that is taken for what was said before: names, spelling, style")
    ->type_name("TEXT");
  app.add_option("--beams", options.how.beams, "Beam search with N beams; segments come when their window is over")
    ->check(CLI::Range(1u, 64u))->type_name("N")->capture_default_str();
  app.add_option("--temperature", options.how.sampling.temperature, "Above 0: draw tokens at random")
    ->check(CLI::Range(0.0f, 2.0f))->type_name("T")->capture_default_str();
  app.add_option("--seed", options.how.sampling.seed, "Of what is drawn")->type_name("N")->capture_default_str();
  app.add_option("--max-tokens", options.how.tokens_max, "Of a window, at most (default: what the model has room for)")
    ->check(CLI::Range(1u, 1u << 20))->type_name("N");
  app.add_option("--no-speech", options.how.no_speech_max,
                 "Pass over a window in which nobody speaks with more than this probability, if its text is unlikely; 1: never")
    ->check(CLI::Range(0.0f, 1.0f))->type_name("P")->capture_default_str();
  declare_engine(app, options.run);
  declare_quiet(app, options.run);
  declare_examples(app, transcribe_examples);
}

json to_json(const spoken_segment& segment) {
  return {{"start", segment.begin}, {"end", segment.end}, {"text", segment.text}, {"tokens", segment.tokens},
          {"avg_logprob", segment.logprob}, {"no_speech_prob", segment.no_speech}};
}

/// One file: what was heard of it, and what of that was printed.
struct heard_file {
  std::string name;
  std::unique_ptr<transcription> listener;
  listening_result result; // Of the request under way,
  std::vector<float> logits; // and those of its prompt.
  std::vector<spoken_segment> segments;
  size_t early = 0; // Of them, those of the window that is not over.
  size_t printed = 0;
  bool has_begun = false, is_done = false, is_cancelled = false;
  std::string error;
};

/// Hears several files side by side, and prints them in their order.
class transcribe_run {
public:
  transcribe_run(std::shared_ptr<const model_file> model, std::shared_ptr<const tokenizer> words, client& to,
                 const transcribe_options& options, const prompt_source& files)
      : model_(std::move(model)), words_(std::move(words)), client_(to), options_(options), files_(files),
        bar_("transcribe", !options.run.quiet) {}

  void submit(const prompt& file) {
    heard_file& one = kept_.emplace_back();
    one.name = file.text;
    try {
      auto sound = std::make_unique<audio_reader>(std::filesystem::path(file.text), model_->audio->rate);
      one.listener = std::make_unique<transcription>(model_, words_, std::move(sound), options_.how);
    } catch (const input_error& error) {
      one.error = error.what();
      one.is_done = true;
    }
    go_on(one);
    update();
  }

  bool has_room() const { return kept_.size() < at_once; }

  void take(const generation_event& event) {
    const auto found = under_way_.find(event.request);
    if (found == under_way_.end()) return;
    heard_file& one = *found->second;
    switch (event.kind) {
      case event_kind::token:
        one.result.tokens.push_back(event.token);
        if (!event.logprobs.empty()) one.result.logprobs.push_back(event.logprobs.front().logprob);
        for (auto& segment : one.listener->take_token(event.token)) {
          one.segments.push_back(std::move(segment));
          ++one.early;
        }
        break;
      case event_kind::logits:
        place_rows(one.logits, event);
        one.listener->take_logits(one.logits);
        break;
      case event_kind::hidden_states: break;
      case event_kind::finished:
        under_way_.erase(found);
        finish(one, event);
        break;
    }
    update();
  }

  int exit_code() const { return good_ ? exit_ok : exit_failed; }

private:
  static constexpr size_t at_once = 8; // Each keeps the samples and features of a window, 4 MB.

  void finish(heard_file& one, const generation_event& event) {
    if (is_failure(event.reason)) one.error = event.error;
    one.is_cancelled = event.reason == finish_reason::cancelled;
    one.is_done = one.is_cancelled || !one.error.empty();
    if (!one.is_done) {
      if (!event.hypotheses.empty()) {
        one.result.tokens = event.hypotheses.front().tokens;
        one.result.score = event.hypotheses.front().score;
      }
      one.segments.resize(one.segments.size() - one.early); // What is known of them now is all there is.
      one.early = 0;
      for (auto& segment : one.listener->take(one.result)) one.segments.push_back(std::move(segment));
    }
    go_on(one);
  }

  /// Asks for the next window of it.
  void go_on(heard_file& one) {
    if (one.is_done) return;
    one.result = {};
    one.logits.clear();
    if (interrupt_guard::signal() != 0) {
      one.is_done = one.is_cancelled = true;
      return;
    }
    try {
      if (auto request = one.listener->next()) under_way_[client_.submit(std::move(*request))] = &one;
      else one.is_done = true;
    } catch (const input_error& error) {
      one.error = error.what();
      one.is_done = true;
    }
  }

  void update() {
    while (!kept_.empty()) {
      heard_file& one = kept_.front();
      if (options_.format != transcript_format::objects) print_segments(one);
      if (!one.is_done) break;
      print_end(one);
      kept_.pop_front();
      ++finished_;
    }
    advance_bar();
  }

  void advance_bar() {
    if (!files_.count()) return;
    double share = double(finished_);
    if (!kept_.empty() && kept_.front().listener)
      if (const double all = kept_.front().listener->seconds_in_all(); all > 0)
        share += std::min(1.0, kept_.front().listener->seconds_heard() / all);
    bar_.advance(share / double(*files_.count()));
  }

  void print_segments(heard_file& one) {
    std::string out;
    if (!one.has_begun && one.error.empty() && options_.format == transcript_format::vtt) out += "WEBVTT\n\n";
    if (!one.has_begun && one.error.empty() && files_.count() != 1) out += (finished_ > 0 ? "\n==> " : "==> ") + one.name + " <==\n";
    one.has_begun |= one.error.empty();
    for (; one.printed < one.segments.size(); ++one.printed) out += segment_text(one.segments[one.printed], one.printed + 1);
    if (out.empty()) return;
    print(out);
  }

  std::string segment_text(const spoken_segment& segment, size_t number) const {
    const auto form = options_.format == transcript_format::srt   ? time_form::srt
                      : options_.format == transcript_format::vtt ? time_form::vtt
                                                                  : time_form::brackets;
    const std::string range = range_text(segment.begin, segment.end, form), text = cue_text(segment.text, form) + "\n";
    if (form == time_form::brackets) return (options_.timestamps ? range + " " : "") + text;
    return (form == time_form::srt ? std::to_string(number) + "\n" : "") + range + "\n" + text + "\n";
  }

  void print_end(const heard_file& one) {
    if (options_.format == transcript_format::objects) {
      json object{{"file", one.name}};
      if (one.is_cancelled) object["error"] = "cancelled";
      else if (!one.error.empty()) object["error"] = one.error;
      if (one.listener && (one.error.empty() || !one.segments.empty()) && !one.is_cancelled) { // Of a damaged file what came before.
        object["language"] = one.listener->language().empty() ? json() : json(one.listener->language());
        object["duration"] = one.listener->seconds_heard();
        std::string text;
        for (const auto& segment : one.segments) text += segment.text;
        object["text"] = without_first_spaces(text);
        object["segments"] = json::array();
        for (const auto& segment : one.segments) object["segments"].push_back(to_json(segment));
      }
      print(json_line(object));
    }
    if (one.error.empty()) return;
    good_ = false;
    note("transcribe: " + one.error);
  }

  std::shared_ptr<const model_file> model_;
  std::shared_ptr<const tokenizer> words_;
  client& client_;
  const transcribe_options& options_;
  const prompt_source& files_;
  progress_bar bar_;
  std::deque<heard_file> kept_; // In the order of the files; they stay where they are.
  std::map<uint64_t, heard_file*> under_way_;
  uint64_t finished_ = 0;
  bool good_ = true;
};

int run_transcribe(transcribe_options& options) {
  check(options.files);
  if (options.json) options.format = transcript_format::objects;
  if (options.how.beams > 1 && options.how.sampling.temperature > 0) throw usage_error("--temperature: beams are not drawn at random");
  prompt_source files{options.files};
  const bool is_subtitles = options.format == transcript_format::srt || options.format == transcript_format::vtt;
  if (is_subtitles && files.count() != 1) throw usage_error("--format: subtitles are of one file");
  const prompt first = first_prompt(files);
  const auto model = open_model(options.run);
  require_command(*model, "transcribe");
  const auto troupe_engine = start_engine(model, options.run);
  client requests = troupe_engine->connect();
  if (troupe_engine->words() == nullptr) throw input_error(options.run.model + ": the model has no vocabulary");
  transcribe_run run{model, troupe_engine->words(), requests, options, files};
  run.submit(first);
  prompt_feed feed{files, [&](const prompt& one) { run.submit(one); }, [&] { return run.has_room(); }};
  const int signal = take_events(requests, [&](const generation_event& event) { run.take(event); },
                                 [&] { return feed.feed(requests.pending() == 0); });
  feed.check();
  return signal != 0 ? 128 + signal : run.exit_code();
}

} // namespace

command_run declare_transcribe(CLI::App& app) {
  const auto options = std::make_shared<transcribe_options>();
  declare_options(app, *options);
  return [options] { return run_transcribe(*options); };
}

} // namespace troupe
