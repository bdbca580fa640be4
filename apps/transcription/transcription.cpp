#include "apps/transcription/transcription.hpp"
#include "model/error.hpp"
#include "model/kernels/exponential.hpp"
#include "model/utf8.hpp"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace troupe {
namespace {

speech_tokens speech_of(const model_file& model) {
  if (!model.audio) throw input_error(model.path.string() + ": this model does not listen");
  if (!model.decoding.speech || !model.decoding.speech->first_timestamp())
    throw input_error(model.path.string() + ": the vocabulary has no tokens for times (<|notimestamps|> and those behind it)");
  return *model.decoding.speech;
}

/// "en, de, fr, ... (99)"
std::string names_of(const std::vector<std::pair<std::string, uint32_t>>& languages) {
  constexpr size_t shown = 12;
  std::string names;
  for (const auto& [name, token] : std::span(languages).first(std::min(shown, languages.size())))
    names += (names.empty() ? "" : ", ") + name;
  return languages.size() > shown ? names + ", ... (" + std::to_string(languages.size()) + ")" : names;
}

double probability(std::span<const float> logits, uint32_t token) {
  const double most = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += exponential(double(logit) - most);
  return exponential(double(logits[token]) - most) / sum;
}

} // namespace

transcription::transcription(std::shared_ptr<const model_file> model, std::shared_ptr<const tokenizer> words,
                             std::unique_ptr<audio_reader> sound, transcription_options options)
    : model_(std::move(model)), words_(std::move(words)), sound_(std::move(sound)), options_(std::move(options)),
      speech_(speech_of(*model_)), how_(*model_->audio), mel_(how_) {
  TROUPE_ASSERT(words_ != nullptr && sound_ != nullptr);
  const auto& ends = model_->words.end_of_generation;
  times_ = {*speech_.first_timestamp(), std::min(ends.empty() ? speech_.start : *std::ranges::min_element(ends), speech_.start),
            speech_.initial_timestamp_max};
  step_samples_ = how_.samples() / model_->spec.encoder->context_length;
  if (!options_.language.empty()) {
    language_ = options_.language;
    if (!speech_.languages.empty() && !speech_.language(language_))
      throw input_error("the model knows no language \"" + language_ + "\", but " + names_of(speech_.languages));
    if (speech_.languages.empty() && language_ != "en") throw input_error("the model knows English alone");
  }
  if (options_.translates && !speech_.translate) throw input_error("the model does not translate");
  if (!options_.prompt.empty()) {
    if (!speech_.previous) throw input_error("the model takes no prompt: its vocabulary has no <|startofprev|>");
    before_ = words_->encode(options_.prompt.starts_with(' ') ? options_.prompt : " " + options_.prompt, special_tokens::never);
    const size_t most = std::max(2u, model_->spec.context_length) / 2 - 1; // As whisper was trained.
    if (before_.size() > most) before_.erase(before_.begin(), before_.end() - ptrdiff_t(most));
    before_.insert(before_.begin(), *speech_.previous);
  }
}

double transcription::seconds_heard() const { return double(passed_) / how_.rate; }
double transcription::seconds_in_all() const { return sound_->seconds(); }

uint32_t transcription::window_steps() const { return uint32_t((window_.size() + step_samples_ - 1) / step_samples_); }

std::vector<uint32_t> transcription::make_prompt() const {
  std::vector<uint32_t> tokens;
  if (passed_ == 0) tokens = before_;
  tokens.push_back(speech_.start);
  if (is_probe_) return {speech_.start};
  if (const auto token = speech_.language(language_)) {
    tokens.push_back(*token);
    if (const auto what = options_.translates ? speech_.translate : speech_.transcribe) tokens.push_back(*what);
  }
  return tokens;
}

generate_request transcription::make_request(std::vector<uint32_t> prompt) const {
  generate_request request;
  request.features = features_;
  request.prompt = std::move(prompt);
  request.want_logits = is_probe_ || gives_logits();
  request.tokens_max = 0;
  if (is_probe_) return request;
  const auto room = model_->spec.context_length - std::min<size_t>(model_->spec.context_length, request.prompt.size());
  request.tokens_max = uint32_t(std::min<size_t>(room, options_.tokens_max.value_or(model_->decoding.tokens_max.value_or(UINT32_MAX))));
  request.rules = model_->decoding.rules;
  request.rules.timestamps = times_;
  if (options_.beams > 1) {
    request.beams = model_->decoding.search;
    request.beams->beams = options_.beams;
    request.beams->best = 1;
  } else {
    request.sampling = options_.sampling;
    request.want_logprobs = true;
  }
  return request;
}

bool transcription::gives_logits() const { return !was_probed_ && options_.beams == 1 && (before_.empty() || passed_ > 0); }

std::optional<generate_request> transcription::next() {
  if (!was_probed_) {
    sound_->fill(window_, how_.samples());
    if (window_.empty()) return std::nullopt;
    features_ = mel_.features(window_);
    no_speech_ = 0;
  }
  tokens_.clear();
  shown_ = 0;
  const bool probes_speech = speech_.no_speech && !gives_logits() && options_.no_speech_max < 1;
  is_probe_ = !was_probed_ && (detects() || probes_speech);
  auto tokens = make_prompt();
  start_row_ = size_t(std::ranges::find(tokens, speech_.start) - tokens.begin());
  return make_request(std::move(tokens));
}

void transcription::choose_language(std::span<const float> logits) {
  const auto& known = speech_.languages;
  const auto best = std::ranges::max_element(known, {}, [&](const auto& one) { return logits[one.second]; });
  language_ = best->first;
}

void transcription::take_logits(std::span<const float> rows) {
  const size_t vocabulary = model_->spec.vocabulary;
  if (rows.size() < (start_row_ + 1) * vocabulary) return;
  const auto at_start = rows.subspan(start_row_ * vocabulary, vocabulary);
  if (is_probe_ && detects()) choose_language(at_start);
  if (speech_.no_speech) no_speech_ = probability(at_start, *speech_.no_speech);
}

spoken_segment transcription::spoken(const transcript_segment& segment, double logprob) const {
  const double first = double(passed_) / how_.rate, step = double(step_samples_) / how_.rate;
  utf8_stream characters;
  std::string text = characters.push(words_->decode(segment.tokens));
  text += characters.finish();
  return {first + segment.begin * step, first + segment.end * step, std::move(text), segment.tokens, logprob, no_speech_,
          passed_ / how_.hop};
}

std::vector<spoken_segment> transcription::take_token(uint32_t token) {
  tokens_.push_back(token);
  const bool is_pair = tokens_.size() >= 2 && token >= times_.first && tokens_[tokens_.size() - 2] >= times_.first;
  if (!is_pair || no_speech_ > double(options_.no_speech_max)) return {}; // Whether it counts is known at the end.
  const auto heard = read_window(tokens_, times_, window_steps());
  std::vector<spoken_segment> complete;
  for (; shown_ < heard.segments.size(); ++shown_) complete.push_back(spoken(heard.segments[shown_], 0));
  return complete;
}

std::vector<spoken_segment> transcription::take(const listening_result& result) {
  if (is_probe_) {
    was_probed_ = true;
    return {};
  }
  was_probed_ = false;
  auto tokens = result.tokens;
  const auto is_end = [&](uint32_t token) { return model_->decoding.rules.ends(token); };
  while (!tokens.empty() && is_end(tokens.back())) tokens.pop_back();
  double logprob = double(result.score);
  if (!result.logprobs.empty()) {
    logprob = 0;
    for (const float one : result.logprobs) logprob += double(one);
    logprob /= double(result.logprobs.size());
  }
  auto heard = read_window(tokens, times_, window_steps());
  const bool is_silent = no_speech_ > double(options_.no_speech_max) && logprob < double(options_.logprob_min);
  if (is_silent) heard = {{}, window_steps()};
  std::vector<spoken_segment> segments;
  for (const auto& segment : heard.segments) segments.push_back(spoken(segment, logprob));
  const size_t passed = std::min<size_t>(window_.size(), size_t(heard.advance) * step_samples_);
  window_.erase(window_.begin(), window_.begin() + ptrdiff_t(passed));
  passed_ += passed;
  return segments;
}

std::string without_first_spaces(std::string text) {
  text.erase(0, std::min(text.find_first_not_of(' '), text.size()));
  return text;
}

std::string cue_text(std::string text, time_form form) {
  std::ranges::replace_if(text, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  text = without_first_spaces(std::move(text));
  if (form != time_form::vtt) return text;
  std::string escaped;
  for (const char c : text)
    if (c == '&') escaped += "&amp;";
    else if (c == '<') escaped += "&lt;";
    else if (c == '>') escaped += "&gt;";
    else escaped += c;
  return escaped;
}

std::string range_text(double begin, double end, time_form form) {
  const auto one = [&](double seconds) {
    const auto ms = uint64_t(std::llround(seconds * 1000));
    char text[48];
    const auto hours = unsigned(ms / 3'600'000), minutes = unsigned(ms / 60'000 % 60), whole = unsigned(ms / 1000 % 60);
    const auto rest = unsigned(ms % 1000);
    if (form == time_form::srt) std::snprintf(text, sizeof text, "%02u:%02u:%02u,%03u", hours, minutes, whole, rest);
    else if (hours > 0 || form == time_form::vtt) std::snprintf(text, sizeof text, "%02u:%02u:%02u.%03u", hours, minutes, whole, rest);
    else std::snprintf(text, sizeof text, "%02u:%02u.%03u", minutes, whole, rest);
    return std::string(text);
  };
  const std::string range = one(begin) + " --> " + one(end);
  return form == time_form::brackets ? "[" + range + "]" : range;
}

} // namespace troupe
