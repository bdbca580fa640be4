#pragma once
// A text that was changed, and where each of its bytes came from.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

struct text_range {
  uint32_t begin = 0, end = 0; // Bytes of the original text.
};

/// Built from front to back: pieces of an earlier text are kept as they are, replaced or dropped. Unless it traces, it remembers no
/// places and costs no more than a string.
class rewritten_text {
public:
  /// A stretch of the original, unchanged, beginning at byte `offset`.
  rewritten_text(std::string text, size_t offset, bool traces) : text_(std::move(text)), offset_(offset), traces_(traces) {}
  /// An empty text, to be made out of `from`.
  static rewritten_text like(const rewritten_text& from) {
    rewritten_text out({}, from.offset_, from.traces_);
    out.is_unchanged_ = false;
    out.text_.reserve(from.text_.size());
    if (out.traces_) out.origins_.reserve(from.text_.size());
    return out;
  }

  const std::string& text() const { return text_; }
  bool traces() const { return traces_; }

  /// Bytes [begin, end) of `from` as they are.
  void keep(const rewritten_text& from, size_t begin, size_t end) {
    text_.append(from.text_, begin, end - begin);
    if (!traces_) return;
    for (size_t i = begin; i < end; ++i) origins_.push_back(from.origin(i));
  }
  /// These bytes in the place of [begin, end) of `from`; where that is empty they are put in.
  void put(std::string_view bytes, const rewritten_text& from, size_t begin, size_t end) {
    text_ += bytes;
    if (traces_) origins_.insert(origins_.end(), bytes.size(), from.origin(begin, end));
  }
  void resize(size_t bytes) { // To fewer.
    text_.resize(bytes);
    if (traces_) origins_.resize(bytes);
  }

  /// Where byte i came from, and where the bytes [begin, end) did, which may be none. It must trace.
  text_range origin(size_t i) const {
    if (!is_unchanged_) return origins_[i];
    return {static_cast<uint32_t>(offset_ + i), static_cast<uint32_t>(offset_ + i + 1)};
  }
  text_range origin(size_t begin, size_t end) const {
    if (begin < end) return {origin(begin).begin, origin(end - 1).end};
    uint32_t at = static_cast<uint32_t>(offset_);
    if (begin < text_.size())
      at = origin(begin).begin;
    else if (!text_.empty())
      at = origin(text_.size() - 1).end;
    return {at, at};
  }

private:
  std::string text_;
  size_t offset_;
  bool traces_;
  bool is_unchanged_ = true;
  std::vector<text_range> origins_; // By byte, unless it is unchanged.
};

} // namespace troupe
