#include "model/decoding/speech_tokens.hpp"
#include <algorithm>

namespace troupe {
namespace {

/// Languages are named by two or three letters.
bool is_language(std::string_view name) {
  return (name.size() == 2 || name.size() == 3) && std::ranges::all_of(name, [](char c) { return c >= 'a' && c <= 'z'; });
}

} // namespace

std::string_view between_bars(std::string_view piece) {
  if (piece.size() < 5 || !piece.starts_with("<|") || !piece.ends_with("|>")) return {};
  return piece.substr(2, piece.size() - 4);
}

speech_tokens find_speech_tokens(std::span<const std::string> pieces, uint32_t start) {
  speech_tokens found;
  found.start = start;
  for (uint32_t id = 0; id < pieces.size(); ++id) {
    const std::string_view name = between_bars(pieces[id]);
    if (name == "transcribe") found.transcribe = id;
    else if (name == "translate") found.translate = id;
    else if (name == "startofprev") found.previous = id;
    else if (name == "nospeech" || name == "nocaptions") found.no_speech = id;
    else if (name == "notimestamps") found.no_timestamps = id;
    else if (is_language(name)) found.languages.emplace_back(name, id);
  }
  return found;
}

} // namespace troupe
