#pragma once
// What an engine says of itself to its program.
#include <cstdint>
#include <functional>
#include <string_view>

namespace troupe {

enum class log_level : uint8_t { info, warning, error };

/// Called by threads of the engine, by several at the same time: what it does to a sink must be safe there. It should return soon and must
/// not call the engine or its clients. What it throws is dropped.
using log_function = std::function<void(log_level level, std::string_view text)>;

/// Calls `log`, which may be empty; drops what it throws.
inline void write_log(const log_function& log, log_level level, std::string_view text) noexcept {
  try {
    if (log) log(level, text);
  } catch (...) {
  }
}

} // namespace troupe
