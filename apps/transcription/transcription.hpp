#pragma once
// One sound, heard window after window: which requests to make, and what comes of their answers. It knows no engine: `troupe transcribe`
// and the service run the requests.
#include "actors/requests/generation.hpp"
#include "model/audio/log_mel.hpp"
#include "model/audio/read_audio.hpp"
#include "model/decoding/transcript.hpp"
#include "model/model_file.hpp"
#include "model/tokenizer/tokenizer.hpp"
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace troupe {

struct transcription_options {
  transcription_options() { sampling.temperature = 0; }

  std::string language;    // "en"; empty: it is detected in the first window.
  bool translates = false; // To English.
  std::string prompt;      // A text that is taken for what was said before; its last tokens count.
  uint32_t beams = 1;
  sampling_options sampling; // Greedy, unless it says otherwise.
  std::optional<uint32_t> tokens_max; // Of a window.
  // A window in which nobody speaks with more than this probability, and whose tokens have less than this logarithm of a probability on
  // average, is passed over (Radford et al. 2022, §4.5). 1: none is.
  float no_speech_max = 0.6f;
  float logprob_min = -1;
};

/// What was said from `begin` to `end`, in seconds.
struct spoken_segment {
  double begin = 0, end = 0;
  std::string text; // UTF-8, with the space that it begins with. What the model wrote otherwise is U+FFFD.
  std::vector<uint32_t> tokens;
  double logprob = 0; // On average, of the tokens of its window, among those that the rules allowed.
  double no_speech = 0;
  uint64_t window_frame = 0; // Where its window begins, in frames of the model's features.
};

/// What came of a request.
struct listening_result {
  std::vector<uint32_t> tokens;
  std::vector<float> logprobs; // Of the tokens.
  float score = 0;             // Of a beam search.
};

/// Windows are of the length that the model takes, and prepared one at a time: a loudest moment elsewhere does not count. Not thread-safe.
class transcription {
public:
  /// Throws input_error for a model that does not listen or has no tokens of speech, and for options that do not fit it.
  transcription(std::shared_ptr<const model_file> model, std::shared_ptr<const tokenizer> words, std::unique_ptr<audio_reader> sound,
                transcription_options options);

  /// The next request; nothing when all is heard. Throws input_error where the sound is damaged.
  std::optional<generate_request> next();
  /// A token of its answer, as it comes: segments that are complete with it, for people who wait. take() has them again.
  std::vector<spoken_segment> take_token(uint32_t token);
  /// Logits of its prompt, [tokens, vocabulary], before take(); of requests that ask for them.
  void take_logits(std::span<const float> rows);
  /// The answer as a whole: all segments of the window.
  std::vector<spoken_segment> take(const listening_result& result);

  const std::string& language() const { return language_; } // Empty as long as it is not known, or of a model of one.
  double seconds_heard() const;
  double seconds_in_all() const; // As the file says it; 0: unknown.

private:
  generate_request make_request(std::vector<uint32_t> prompt) const;
  std::vector<uint32_t> make_prompt() const;
  spoken_segment spoken(const transcript_segment& segment, double logprob) const;
  void choose_language(std::span<const float> logits);
  bool gives_logits() const; // A request for the text: those of a beam search do not, and a long prompt has too many.
  bool detects() const { return language_.empty() && !speech_.languages.empty(); }
  uint32_t window_steps() const;

  std::shared_ptr<const model_file> model_;
  std::shared_ptr<const tokenizer> words_;
  std::unique_ptr<audio_reader> sound_;
  transcription_options options_;
  speech_tokens speech_;
  audio_preparation how_;
  log_mel mel_;
  timestamp_rules times_;
  uint32_t step_samples_; // Samples of a step of time.
  std::vector<uint32_t> before_; // The prompt of the first window: tokens.
  std::string language_;

  std::vector<float> window_;   // Samples at hand.
  std::vector<float> features_; // Of them.
  uint64_t passed_ = 0;         // Samples before them.
  bool is_probe_ = false;       // The request under way asks for the language, or whether somebody speaks.
  bool was_probed_ = false;     // It has, for this window.
  size_t start_row_ = 0;        // Which token of its prompt is the start.
  double no_speech_ = 0;        // Of this window.
  std::vector<uint32_t> tokens_; // Of the answer so far,
  size_t shown_ = 0;             // and how many of its segments were returned.
};

/// "[00:01.000 --> 00:02.500]", "00:00:01,000 --> 00:00:02,500": times as formats have them.
enum class time_form : uint8_t { brackets, srt, vtt };
std::string range_text(double begin, double end, time_form form);
/// Of the first segment of a text, which begins with one.
std::string without_first_spaces(std::string text);
/// A segment's text on one line, without spaces before it; in a WebVTT file without signs that mean something there.
std::string cue_text(std::string text, time_form form);

} // namespace troupe
