// POST /v1/audio/transcriptions, /v1/audio/translations
#include "apps/service/api/json_text.hpp"
#include "apps/service/api/multipart.hpp"
#include "apps/service/serving/event_stream.hpp"
#include "apps/service/serving/start.hpp"
#include "apps/service/tasks/endpoints.hpp"
#include "apps/transcription/transcription.hpp"
#include "model/error.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cmath>
#include <optional>
#include <utility>

namespace troupe::service {
namespace {

/// What a request may bring, if --max-body lets it in.
constexpr audio_limits request_audio_limits{.file_bytes_max = 512 << 20, .seconds_max = 4 * 3600};

enum class transcript_form : uint8_t { object, text, srt, vtt, verbose_object };

struct transcript_wish {
  transcription_options how;
  transcript_form form = transcript_form::object;
  bool streams = false;
};

[[noreturn]] void refuse(const char* field, const std::string& why) {
  throw api_error(400, "invalid_value", std::string(field) + ": " + why, field);
}

std::string text_of(const multipart_form& form, const char* name) {
  const auto* found = form.find(name);
  return found ? std::string(found->content) : std::string();
}

float number_of(const multipart_form& form, const char* name, float least, float most, float otherwise) {
  const std::string text = text_of(form, name);
  if (text.empty()) return otherwise;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= double(least) && value <= double(most)))
    refuse(name, "wanted a number from " + to_text(json(least)) + " to " + to_text(json(most)));
  return float(value);
}

transcript_form transcript_form_of(const std::string& name) {
  if (name.empty() || name == "json") return transcript_form::object;
  if (name == "text") return transcript_form::text;
  if (name == "srt") return transcript_form::srt;
  if (name == "vtt") return transcript_form::vtt;
  if (name == "verbose_json") return transcript_form::verbose_object;
  refuse("response_format", "wanted json, text, srt, vtt or verbose_json");
}

transcript_wish read_wish(const multipart_form& form, bool translates, uint64_t seed) {
  transcript_wish wanted;
  wanted.how.translates = translates;
  wanted.how.language = text_of(form, "language");
  wanted.how.prompt = text_of(form, "prompt");
  wanted.how.sampling.temperature = number_of(form, "temperature", 0, 1, 0);
  wanted.how.sampling.seed = seed;
  wanted.form = transcript_form_of(text_of(form, "response_format"));
  const std::string streams = text_of(form, "stream");
  if (!streams.empty() && streams != "true" && streams != "false") refuse("stream", "wanted true or false");
  wanted.streams = streams == "true";
  for (const char* name : {"timestamp_granularities", "timestamp_granularities[]"})
    for (const auto one : form.all(name)) {
      if (one != "segment") refuse("timestamp_granularities", "wanted segment: times of words are not known");
      if (wanted.form != transcript_form::verbose_object) refuse("timestamp_granularities", "is for response_format verbose_json");
    }
  if (const auto include = form.all("include[]"); !include.empty()) refuse("include", "is not supported");
  return wanted;
}

/// One request: hears window after window. Kept alive by whatever is under way for it. Windows are prepared in the background, and all else
/// is on the server's thread; never both at once, but for cancel().
class hearing : public std::enable_shared_from_this<hearing> {
public:
  hearing(call of, served_model& model, std::string id, transcript_wish wanted, std::string file)
      : call_(std::move(of)), model_(model), id_(std::move(id)), wish_(std::move(wanted)), file_(std::move(file)) {
    if (wish_.streams) stream_.emplace(call_.in.server, call_.exchange);
  }

  void begin() {
    call_.claim = std::make_shared<request_claim>(call_, model_, id_, [weak = weak_from_this()] {
      if (const auto running = weak.lock()) running->cancel();
    });
    go_on();
  }

  /// Whatever is under way ends soon.
  void cancel() {
    is_cancelled_ = true;
    if (const auto window = window_.lock()) window->cancel();
  }

  /// The next window, prepared in the background.
  void go_on() {
    if (is_over_) return;
    if (is_cancelled_) return fail(api_error(499, "cancelled", "the request was cancelled"));
    const auto self = shared_from_this();
    const auto work = [self]() -> std::function<void()> {
      std::optional<generate_request> request;
      std::optional<api_error> problem;
      try {
        if (self->is_cancelled_) throw api_error(499, "cancelled", "the request was cancelled");
        if (!self->listener_) self->open();
        request = self->listener_->next();
      } catch (const api_error& error) {
        problem = error;
      } catch (const input_error& error) {
        problem.emplace(400, "invalid_audio", error.what(), "file");
      }
      return [self, request = std::move(request), problem]() mutable {
        self->guard([&] {
          if (problem) throw api_error(*problem);
          if (self->is_cancelled_) throw api_error(499, "cancelled", "the request was cancelled");
          if (request) self->ask(std::move(*request));
          else self->answer();
        });
      };
    };
    const auto failed = [self](const std::string& reason) { self->fail(api_error(500, "internal_error", reason)); };
    call_.in.jobs.compute(work, failed);
  }

  void fail(const api_error& error) {
    if (std::exchange(is_over_, true)) return;
    end(&error);
    if (stream_ && stream_->has_begun()) {
      stream_->send("", error_body(error, api_form::openai));
      stream_->end();
    } else {
      respond_error(*call_.exchange, error, api_form::openai);
    }
  }

private:
  class window_form;

  void open() {
    const auto& file = model_.file();
    const std::span bytes(reinterpret_cast<const uint8_t*>(file_.data()), file_.size());
    auto sound = std::make_unique<audio_reader>(bytes, "file", file.audio->rate, request_audio_limits);
    const std::shared_ptr<const model_file> model(std::shared_ptr<void>(), &file); // It exists as long as the service.
    try {
      listener_ = std::make_unique<transcription>(model, model_.runs().words(), std::move(sound), wish_.how);
    } catch (const input_error& error) {
      const char* field = !wish_.how.language.empty() ? "language" : !wish_.how.prompt.empty() ? "prompt" : "model";
      throw api_error(400, "invalid_value", error.what(), field);
    }
  }

  template <class Call> void guard(Call f) {
    try {
      f();
    } catch (const api_error& error) {
      fail(error);
    } catch (const input_error& error) {
      fail(api_error(400, "invalid_request", error.what()));
    }
  }

  void ask(generate_request request);

  /// What it held is free again.
  void end(const api_error* failure) {
    call_.claim = nullptr;
    if (!call_.in.log) return;
    const std::chrono::duration<double, std::milli> taken(std::chrono::steady_clock::now() - begun_);
    log_record record{"transcription"};
    record.add("model", model_.name()).add("seconds", listener_ ? listener_->seconds_heard() : 0.0).add("ms", taken.count());
    if (failure) record.add("error", failure->code).add("message", std::string(failure->what()));
    call_.in.log(record.add("name", id_).add("id", call_.exchange->asked().id).add("tenant", call_.who.tenant));
  }

  void show(const spoken_segment& segment) {
    const std::string text = shown_.empty() ? without_first_spaces(segment.text) : segment.text;
    shown_ += text;
    if (stream_ && !text.empty()) stream_->send("", to_text({{"type", "transcript.text.delta"}, {"delta", text}}));
  }

  void take(const listening_result& result) {
    auto heard = listener_->take(result);
    for (size_t i = early_; i < heard.size(); ++i) show(heard[i]);
    early_ = 0;
    for (auto& one : heard) segments_.push_back(std::move(one));
  }

  json verbose() const {
    json segments = json::array();
    for (const auto& one : segments_)
      segments.push_back({{"id", segments.size()}, {"seek", one.window_frame}, {"start", one.begin}, {"end", one.end}, {"text", one.text},
                          {"tokens", one.tokens}, {"temperature", wish_.how.sampling.temperature}, {"avg_logprob", one.logprob},
                          {"no_speech_prob", one.no_speech}});
    const auto& language = listener_->language();
    return {{"task", wish_.how.translates ? "translate" : "transcribe"}, {"language", language.empty() ? "en" : language},
            {"duration", listener_->seconds_heard()}, {"text", shown_}, {"segments", std::move(segments)}, {"usage", usage()}};
  }

  json usage() const { return {{"type", "duration"}, {"seconds", uint64_t(std::ceil(listener_->seconds_heard()))}}; }

  std::string subtitles(time_form form) const {
    std::string text = form == time_form::vtt ? "WEBVTT\n\n" : "";
    size_t number = 0;
    for (const auto& one : segments_) {
      if (form == time_form::srt) text += std::to_string(++number) + "\n";
      text += range_text(one.begin, one.end, form) + "\n" + cue_text(one.text, form) + "\n\n";
    }
    return text;
  }

  void answer() {
    if (std::exchange(is_over_, true)) return;
    end(nullptr);
    if (stream_) {
      stream_->send("", to_text({{"type", "transcript.text.done"}, {"text", shown_}, {"usage", usage()}}));
      stream_->send("", "[DONE]");
      return stream_->end();
    }
    const auto plain = [&](std::string text) {
      call_.exchange->respond({.status = 200, .content_type = "text/plain; charset=utf-8", .body = std::move(text), .headers = {}});
    };
    switch (wish_.form) {
    case transcript_form::object: return respond_json(*call_.exchange, to_text({{"text", shown_}, {"usage", usage()}}));
    case transcript_form::verbose_object: return respond_json(*call_.exchange, to_text(verbose()));
    case transcript_form::text: return plain(shown_ + "\n");
    case transcript_form::srt: return plain(subtitles(time_form::srt));
    case transcript_form::vtt: return plain(subtitles(time_form::vtt));
    }
  }

  call call_;
  served_model& model_;
  std::string id_;
  transcript_wish wish_;
  std::string file_;
  std::unique_ptr<transcription> listener_;
  std::optional<event_stream> stream_;
  std::vector<spoken_segment> segments_;
  std::string shown_;  // Their texts, and those of the window under way that are complete,
  size_t early_ = 0;   // which are so many.
  std::weak_ptr<generation> window_; // Under way.
  bool has_begun_ = false, is_over_ = false;
  std::atomic<bool> is_cancelled_ = false;
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

/// One window of it.
class hearing::window_form : public generation_form {
public:
  window_form(std::shared_ptr<hearing> of, const generation& running) : of_(std::move(of)), running_(running) {}

  void added(size_t) override {
    const auto& one = running_.choices().front();
    if (seen_ == 0) of_->listener_->take_logits(one.rows);
    for (; seen_ < one.tokens.size(); ++seen_)
      for (const auto& segment : of_->listener_->take_token(one.tokens[seen_])) {
        of_->show(segment);
        ++of_->early_;
      }
  }
  void completed() override {
    const auto& one = running_.choices().front();
    if (one.tokens.empty()) of_->listener_->take_logits(one.rows);
    if (one.reason == finish_reason::cancelled) return of_->fail(api_error(499, "cancelled", "the request was cancelled"));
    listening_result result;
    result.tokens = one.tokens;
    for (const auto& logprobs : one.logprobs) result.logprobs.push_back(logprobs.front().logprob);
    of_->guard([&] { of_->take(result); });
    of_->go_on();
  }
  void failed(const api_error& error) override { of_->fail(error); }

private:
  std::shared_ptr<hearing> of_;
  const generation& running_;
  size_t seen_ = 0;
};

void hearing::ask(generate_request request) {
  request.tenant = call_.who.tenant;
  request.tenant_weight = call_.who.weight;
  request.was_admitted = std::exchange(has_begun_, true); // With its first window.
  std::vector<generate_request> requests;
  requests.push_back(std::move(request));
  window_ = start(call_, model_, id_, std::move(requests),
                  [&](const generation& running) { return std::make_unique<window_form>(shared_from_this(), running); });
}

void hear(call& of, bool translates) {
  const std::string type(of.exchange->asked().header("content-type"));
  std::string body = of.exchange->take_body();
  const auto form = read_form(type, body);
  auto& model = find_model(of.in, text_of(form, "model"));
  if (!model.file().audio)
    throw api_error(400, "unsupported_model", "the model \"" + model.name() + "\" does not listen", "model");
  model.words();
  const auto wanted = read_wish(form, translates, of.in.names.draw(unix_time()).seed);
  const auto* file = form.find("file");
  if (file == nullptr) refuse("file", "is missing");
  if (file->content.empty()) refuse("file", "is empty");
  admit(of, model, 1, generate_request{});
  std::make_shared<hearing>(of, model, of.in.names.next("transcription-"), wanted, std::string(file->content))->begin();
}

} // namespace

void transcriptions(call& of) { hear(of, false); }
void translations(call& of) { hear(of, true); }

} // namespace troupe::service
