#include "model/training/data/token_file.hpp"
#include "model/error.hpp"
#include "model/formats/byte_reader.hpp"
#include "model/training/data/token_format.hpp"
#include <algorithm>

namespace troupe {

namespace {

template <class id>
uint32_t highest(std::span<const std::byte> bytes) {
  const auto* ids = reinterpret_cast<const id*>(bytes.data());
  id most = 0;
  for (size_t i = 0; i < bytes.size() / sizeof(id); ++i) most = std::max(most, ids[i]);
  return most;
}

} // namespace

token_file::token_file(const std::filesystem::path& path) : file_(path) {
  token_file_header header{};
  const bool has_header = file_.size() >= sizeof header;
  if (has_header) file_.read(0, std::as_writable_bytes(std::span(&header, 1)));
  if (!has_header || std::memcmp(header.magic, token_file_magic, sizeof token_file_magic) != 0) refuse("this is not a token file");
  if (header.version != token_file_version)
    refuse("a token file of version " + std::to_string(header.version) + "; this program knows version " +
           std::to_string(token_file_version));
  if (header.header != header_hash(header)) refuse("the token file is damaged: its header does not fit its checksum");
  if ((header.bytes_per_token != 2 && header.bytes_per_token != 4) || header.documents == 0 || header.vocabulary_size == 0 ||
      header.documents > 0xFFFFFFFF || header.vocabulary_size > uint64_t(1) << 32)
    refuse("the header of the token file contradicts itself");
  const auto size = checked_product(header.tokens, header.bytes_per_token);
  const uint64_t rest = file_.size() - sizeof header;
  const uint64_t offset_bytes = (header.documents + 1) * sizeof(uint64_t);
  if (!size || *size > rest || (*size + 7) / 8 * 8 + offset_bytes != rest)
    refuse("the token file is damaged: it has " + std::to_string(rest) + " bytes for " + std::to_string(header.tokens) +
           " tokens of " + std::to_string(header.documents) + " documents");
  bytes_per_token_ = header.bytes_per_token;
  vocabulary_size_ = header.vocabulary_size;
  fingerprint_ = header.fingerprint;
  figures_ = {header.source_files, header.source_bytes, header.documents, header.invalid_utf8, header.empty};
  offsets_.resize(header.documents + 1);
  file_.read(file_.size() - offset_bytes, std::as_writable_bytes(std::span(offsets_)));
  check_content(header.content);
  if (offsets_.front() != 0 || offsets_.back() != header.tokens || !std::is_sorted(offsets_.begin(), offsets_.end()))
    refuse("the offsets of the token file are not in order");
}

void token_file::refuse(const std::string& reason) const { throw input_error(path().string() + ": " + reason); }

void token_file::check_content(uint64_t checksum) const {
  constexpr uint64_t part = uint64_t(1) << 20;
  content_hash hash;
  uint32_t most = 0;
  const auto offset_bytes = std::as_bytes(std::span(offsets_));
  std::vector<std::byte> buffer(part);
  const uint64_t end = file_.size() - offset_bytes.size(); // With the zeros.
  for (uint64_t at = sizeof(token_file_header); at < end; at += part) {
    const auto bytes = std::span(buffer).first(std::min(part, end - at));
    file_.read(at, bytes);
    hash.add(bytes);
    most = std::max(most, bytes_per_token_ == 2 ? highest<uint16_t>(bytes) : highest<uint32_t>(bytes));
  }
  hash.add(offset_bytes);
  if (hash.value() != checksum) refuse("the token file is damaged: its content does not fit its checksum");
  if (most >= vocabulary_size_)
    refuse("token " + std::to_string(most) + " is beyond the vocabulary of " + std::to_string(vocabulary_size_));
}

uint64_t token_file::length(uint64_t document) const {
  TROUPE_ASSERT(document < documents());
  return offsets_[document + 1] - offsets_[document];
}

void token_file::read(uint64_t document, uint64_t first, std::span<uint32_t> out) const {
  TROUPE_ASSERT(first + out.size() <= length(document));
  const uint64_t from = sizeof(token_file_header) + (offsets_[document] + first) * bytes_per_token_;
  if (bytes_per_token_ == 4) {
    file_.read(from, std::as_writable_bytes(out));
  } else {
    std::vector<uint16_t> ids(out.size());
    file_.read(from, std::as_writable_bytes(std::span(ids)));
    std::copy(ids.begin(), ids.end(), out.begin());
  }
  // They were checked once; but a batch is made of what is there now.
  if (std::ranges::any_of(out, [&](uint32_t id) { return id >= vocabulary_size_; }))
    refuse("the token file was changed: it has a token beyond the vocabulary of " + std::to_string(vocabulary_size_));
}

} // namespace troupe
