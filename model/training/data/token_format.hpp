#pragma once
// How token files begin: shared by their reader and their writer.
#include "model/content_hash.hpp"
#include <cstdint>
#include <cstring>
#include <span>

namespace troupe {

struct token_file_header {
  char magic[8];
  uint32_t version;
  uint32_t bytes_per_token; // 2 or 4.
  uint64_t vocabulary_size; // Every token is below it.
  uint64_t fingerprint;
  uint64_t documents, tokens;
  uint64_t source_files, source_bytes, invalid_utf8, empty; // source_figures
  uint64_t content; // content_hash of all that follows the header.
  uint64_t zeros[4];
  uint64_t header; // content_hash of the header up to here.
};
static_assert(sizeof(token_file_header) == 128);

inline constexpr char token_file_magic[8] = {'t', 'r', 'o', 'u', 'p', 'e', 'T', 'K'};
/// Raised when the layout changes, or what the same source and options give: older files are then made anew.
inline constexpr uint32_t token_file_version = 1;

inline uint64_t header_hash(const token_file_header& header) {
  content_hash hash;
  hash.add(std::as_bytes(std::span(&header, 1)).first(offsetof(token_file_header, header)));
  return hash.value();
}

/// Ids below 2^16 take two bytes.
inline uint32_t bytes_for_ids(uint64_t vocabulary_size) { return vocabulary_size <= 0x10000 ? 2 : 4; }

} // namespace troupe
