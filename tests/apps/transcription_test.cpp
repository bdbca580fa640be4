// One sound heard window after window by an engine is what the sequential reference hears; what does not fit the model is refused.
#include "apps/transcription/transcription.hpp"
#include "actors/engine.hpp"
#include "model/error.hpp"
#include "model/reference.hpp"
#include "model/testing/audio_files.hpp"
#include "model/tokenizer/make_tokenizer.hpp"
#include "support/catch.hpp"
#include "support/references.hpp"
#include <algorithm>
#include <cmath>
#include <filesystem>

using namespace troupe;
using namespace troupe::testing;

namespace {

std::filesystem::path folder() { return references() / "hf" / "whisper"; }

/// Two tones in turn, as a file.
std::vector<uint8_t> sound_file(const char* format, uint32_t rate, double seconds) {
  const auto count = size_t(seconds * rate);
  auto sound = tone(300, rate, count);
  const auto other = tone(810, rate, count);
  for (size_t i = 0; i < count; ++i)
    if (i / (rate / 4) % 2 == 1) sound[i] = other[i] * 0.3f;
  return audio_file(format, sound, rate);
}

struct wanted_segment {
  double begin, end;
  std::vector<uint32_t> tokens;
  double logprob;
};

/// The long form by hand: greedy, in a known language.
std::vector<wanted_segment> by_reference(const std::shared_ptr<const model_file>& model, std::span<const uint8_t> file,
                                         const char* language) {
  const auto& speech = *model->decoding.speech;
  const timestamp_rules times{*speech.first_timestamp(), model->words.end_of_generation.at(0), speech.initial_timestamp_max};
  auto rules = model->decoding.rules;
  rules.timestamps = times;
  audio_reader reader(file, "sound", 16'000);
  std::vector<float> sound;
  reader.fill(sound, 1 << 24);
  const log_mel mel(*model->audio);
  reference_model reference(make_parts(model, {}));
  std::vector<wanted_segment> all;
  for (size_t at = 0; at < sound.size();) {
    const auto window = std::span(sound).subspan(at, std::min<size_t>(16'000, sound.size() - at));
    reference.encode_sound(mel.features(window));
    std::vector<uint32_t> log{speech.start, *speech.language(language), *speech.transcribe}, tokens;
    auto logits = reference.forward(log);
    double logprobs = 0, judged = 0; // Of the tokens, that of the end too.
    while (log.size() < model->spec.context_length) {
      std::vector<float> last(logits.end() - model->spec.vocabulary, logits.end());
      rules.apply(last, log, uint32_t(tokens.size()), model->spec.context_length - 3);
      const auto token = uint32_t(std::ranges::max_element(last) - last.begin());
      double sum = 0;
      for (const float score : last) sum += std::exp(double(score) - double(last[token]));
      logprobs -= std::log(sum);
      ++judged;
      if (rules.ends(token)) break;
      tokens.push_back(token);
      log.push_back(token);
      logits = reference.forward({&token, 1});
    }
    const auto heard = read_window(tokens, times, uint32_t((window.size() + 319) / 320));
    for (const auto& one : heard.segments)
      all.push_back({double(at) / 16'000 + one.begin * 0.02, double(at) / 16'000 + one.end * 0.02, one.tokens, logprobs / judged});
    at += size_t(heard.advance) * 320;
  }
  return all;
}

struct heard_sound {
  std::vector<spoken_segment> segments, early;
  std::string language;
  double seconds = 0;
  uint32_t requests = 0;
};

heard_sound hear(engine& on, const std::shared_ptr<const model_file>& model, std::span<const uint8_t> file, transcription_options options) {
  transcription listener(model, on.words(), std::make_unique<audio_reader>(file, "sound", model->audio->rate), std::move(options));
  client from = on.connect();
  heard_sound heard;
  while (auto request = listener.next()) {
    ++heard.requests;
    from.submit(std::move(*request));
    listening_result result;
    std::vector<float> logits;
    while (const auto event = from.next()) {
      if (event->kind == event_kind::token) {
        result.tokens.push_back(event->token);
        result.logprobs.push_back(event->logprobs.at(0).logprob);
        for (auto& segment : listener.take_token(event->token)) heard.early.push_back(std::move(segment));
      }
      if (event->kind == event_kind::logits) {
        const size_t first = size_t(event->position) * event->width;
        logits.resize(std::max(logits.size(), first + event->values.size()));
        std::ranges::copy(event->values, logits.begin() + ptrdiff_t(first));
        listener.take_logits(logits);
      }
      if (event->kind == event_kind::finished) {
        REQUIRE(event->error == "");
        if (!event->hypotheses.empty()) {
          result.tokens = event->hypotheses.front().tokens;
          result.score = event->hypotheses.front().score;
        }
      }
    }
    for (auto& segment : listener.take(result)) heard.segments.push_back(std::move(segment));
  }
  heard.language = listener.language();
  heard.seconds = listener.seconds_heard();
  return heard;
}

transcription_options in(const char* language) {
  transcription_options options;
  options.language = language;
  options.no_speech_max = 1;
  return options;
}

} // namespace

TEST_CASE("a transcription is what the reference hears, and its early segments are the first of each window", "[conformance]") {
  if (!std::filesystem::exists(folder())) TROUPE_SKIP("no " + folder().string());
  const auto model = open_model(folder());
  engine on{model, {.threads = 2}};
  const auto file = sound_file("flac", 22'050, 2.3);
  const auto wanted = by_reference(model, file, "de");
  const auto heard = hear(on, model, file, in("de"));
  REQUIRE(!wanted.empty());
  REQUIRE(heard.segments.size() == wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    CHECK(heard.segments[i].begin == Approx(wanted[i].begin));
    CHECK(heard.segments[i].end == Approx(wanted[i].end));
    CHECK(heard.segments[i].tokens == wanted[i].tokens);
    CHECK(heard.segments[i].logprob == Approx(wanted[i].logprob).epsilon(1e-4));
    CHECK(heard.segments[i].no_speech > 0);
  }
  CHECK(heard.seconds == Approx(2.3).epsilon(1e-3));
  size_t found = 0; // Each early one is among them, in order.
  for (const auto& segment : heard.segments)
    if (found < heard.early.size() && heard.early[found].tokens == segment.tokens && heard.early[found].begin == segment.begin) ++found;
  CHECK(found == heard.early.size());
  std::cout << "transcription: " << wanted.size() << " segments in " << heard.requests << " windows, " << heard.early.size() << " early\n";
}

TEST_CASE("to detect the language changes nothing else; beams and translations are heard to the end", "[conformance]") {
  if (!std::filesystem::exists(folder())) TROUPE_SKIP("no " + folder().string());
  const auto model = open_model(folder());
  engine on{model, {.threads = 2}};
  const auto file = sound_file("wav", 16'000, 1.4);
  const auto detected = hear(on, model, file, in(""));
  CHECK((detected.language == "en" || detected.language == "de"));
  const auto named = hear(on, model, file, in(detected.language.c_str()));
  CHECK(detected.requests == named.requests + 1);
  REQUIRE(named.segments.size() == detected.segments.size());
  for (size_t i = 0; i < named.segments.size(); ++i) CHECK(named.segments[i].tokens == detected.segments[i].tokens);
  auto options = in("en");
  options.beams = 3;
  options.translates = true;
  options.prompt = "Lily said it.";
  const auto beams = hear(on, model, file, options);
  CHECK(beams.seconds == Approx(1.4));
  CHECK(beams.early.empty());
  options = in("en");
  options.no_speech_max = 0;
  options.logprob_min = 0; // All counts as silence.
  const auto silent = hear(on, model, file, options);
  CHECK(silent.segments.empty());
  CHECK(silent.early.empty());
  CHECK(silent.requests == 2); // Of windows that do not overlap.
}

TEST_CASE("a text is UTF-8, whatever the model writes", "[conformance]") {
  if (!std::filesystem::exists(folder())) TROUPE_SKIP("no " + folder().string());
  const auto model = open_model(folder());
  const auto words = make_tokenizer(model->words);
  const auto bytes = [&](const char* text) { return words->encode(text, special_tokens::never); };
  const auto file = sound_file("wav", 16'000, 0.9);
  transcription listener(model, words, std::make_unique<audio_reader>(file, "sound", 16'000), in("en"));
  REQUIRE(listener.next());
  const uint32_t time0 = *model->decoding.speech->first_timestamp();
  listening_result result{.tokens = {time0}, .logprobs = {}};
  for (const char* part : {"a\xff", "\xe2\x82"}) { // No character begins so; the last one is cut off.
    const auto tokens = bytes(part);
    result.tokens.insert(result.tokens.end(), tokens.begin(), tokens.end());
  }
  result.tokens.push_back(time0 + 40);
  const auto heard = listener.take(result);
  REQUIRE(heard.size() == 1);
  CHECK(heard[0].text == "a\xef\xbf\xbd\xef\xbf\xbd");
}

TEST_CASE("options that do not fit the model are refused with a reason", "[conformance]") {
  if (!std::filesystem::exists(folder())) TROUPE_SKIP("no " + folder().string());
  const auto model = open_model(folder());
  engine on{model, {.threads = 1}};
  const auto file = sound_file("wav", 16'000, 0.2);
  CHECK_THROWS_WITH(hear(on, model, file, in("xx")), "the model knows no language \"xx\", but en, de");
  auto deaf = std::make_shared<model_file>(*model);
  deaf->audio.reset();
  CHECK_THROWS_WITH(transcription(deaf, on.words(), std::make_unique<audio_reader>(file, "sound", 16'000), in("en")),
                    ContainsSubstring("this model does not listen"));
  auto timeless = std::make_shared<model_file>(*model);
  timeless->decoding.speech->no_timestamps.reset();
  CHECK_THROWS_WITH(transcription(timeless, on.words(), std::make_unique<audio_reader>(file, "sound", 16'000), in("en")),
                    ContainsSubstring("no tokens for times"));
  auto monolingual = std::make_shared<model_file>(*model);
  monolingual->decoding.speech->languages.clear();
  monolingual->decoding.speech->translate.reset();
  CHECK_THROWS_WITH(transcription(monolingual, on.words(), std::make_unique<audio_reader>(file, "sound", 16'000), in("de")),
                    "the model knows English alone");
  auto options = in("en");
  options.translates = true;
  CHECK_THROWS_WITH(transcription(monolingual, on.words(), std::make_unique<audio_reader>(file, "sound", 16'000), options),
                    "the model does not translate");
}
