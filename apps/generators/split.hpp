#pragma once
// Which texts are held out.
#include <cstdint>
#include <string_view>

namespace troupe::generators {

/// True for one text in 16, by its bytes alone. Training data has none of these and held-out data has no others, so that no text is in
/// both, whatever the seeds and however many texts there are.
inline bool is_held_out(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325; // FNV-1a; its middle bits depend on all bytes.
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return ((hash >> 28) & 15) == 0;
}

enum class part { training, held_out };

} // namespace troupe::generators
