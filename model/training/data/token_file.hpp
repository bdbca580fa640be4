#pragma once
// Documents as token ids, in a file: what training reads.
//
// Layout, little-endian, no gaps but zeros before the offsets:
//   header                       128 bytes, see token_file_header in token_format.hpp
//   token ids                    16 bits each when every id of the vocabulary fits, else 32; document after document
//   zeros                        up to a multiple of 8
//   offsets                      64 bits each: where document i begins, in tokens; documents + 1 of them
#include "model/formats/input_file.hpp"
#include "model/training/data/data_source.hpp"
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

namespace troupe {

/// A token file, open. Tokens are read when they are asked for; in memory are the offsets. Immutable and thread-safe.
class token_file {
public:
  /// Reads all of it once: a bit that was flipped, an end that is missing, a token beyond the vocabulary is an input_error with
  /// the path and what was found.
  explicit token_file(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }
  uint64_t documents() const { return offsets_.size() - 1; }
  uint64_t tokens() const { return offsets_.back(); }
  uint64_t vocabulary_size() const { return vocabulary_size_; }
  uint64_t fingerprint() const { return fingerprint_; }           // What it was made from: token_fingerprint().
  const source_figures& figures() const { return figures_; }      // Of the source it was made from.
  uint32_t bytes_per_token() const { return bytes_per_token_; }   // 2 or 4.

  uint64_t length(uint64_t document) const; // Tokens.
  /// Tokens first, first + 1, ... of a document; asserts that it has so many. Throws input_error when they cannot be read any more, or are
  /// beyond the vocabulary now.
  void read(uint64_t document, uint64_t first, std::span<uint32_t> out) const;

private:
  [[noreturn]] void refuse(const std::string& reason) const;
  void check_content(uint64_t checksum) const;

  input_file file_;
  uint32_t bytes_per_token_ = 0;
  uint64_t vocabulary_size_ = 0, fingerprint_ = 0;
  source_figures figures_;
  std::vector<uint64_t> offsets_;
};

} // namespace troupe
