#pragma once
// How a model that listens is told what to write, and how it says when: by tokens (Radford et al. 2022, §2.3).
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe {

struct speech_tokens {
  uint32_t start = 0;                                       // What the decoder begins with.
  std::vector<std::pair<std::string, uint32_t>> languages;  // "en"; empty where the model knows one alone, which no token names.
  std::optional<uint32_t> transcribe, translate;            // What to do: write the language that is spoken, or English.
  std::optional<uint32_t> previous;                         // A text that came before follows.
  std::optional<uint32_t> no_speech;                        // Whose probability at the start says that nobody speaks.
  std::optional<uint32_t> no_timestamps;                    // No times are to be written. Those behind it are times, from 0.
  std::optional<uint32_t> initial_timestamp_max;            // Of the first time, in steps.

  std::optional<uint32_t> first_timestamp() const {
    return no_timestamps ? std::optional(*no_timestamps + 1) : std::nullopt;
  }
  std::optional<uint32_t> language(std::string_view name) const {
    for (const auto& [known, token] : languages)
      if (known == name) return token;
    return std::nullopt;
  }
};

/// "<|de|>" -> "de"; empty: it is no name of a token between these signs.
std::string_view between_bars(std::string_view piece);
/// Those that have the names of whisper's vocabulary, by id: "<|transcribe|>", "<|de|>", ...
speech_tokens find_speech_tokens(std::span<const std::string> pieces, uint32_t start);

} // namespace troupe
