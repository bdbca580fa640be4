#pragma once
// A configuration for lines of text: what `troupe train --lines` trains by.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace troupe {

struct line_options {
  std::vector<std::string> files;
  std::filesystem::path output = "run";
  uint64_t epochs = 10;
};

/// Writes OUTPUT/config.json, which is then like any other: a small decoder, a vocabulary as large as the text allows, a fifth of the lines
/// for validation, batches of 64 sequences of 64 tokens, Adam at 0.001. Returns its path. Throws input_error: files that cannot be read,
/// a folder that cannot be written.
std::filesystem::path write_line_config(const line_options& options);

} // namespace troupe
