#pragma once
// Text to token ids and back.
#include "model/tokenizer/vocabulary.hpp"
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// Whether special tokens take part. as_file: BOS/EOS are added as the file asks, and the text of special tokens
/// ("</s>") in the input becomes their ids. in_text: only the latter, for text that has its BOS already. never: neither.
enum class special_tokens : uint8_t { as_file, in_text, never };

/// Immutable and thread-safe. Any bytes are acceptable text; invalid UTF-8 is carried through as bytes where the
/// vocabulary has tokens for bytes, and becomes the unknown token where it has not.
class tokenizer {
public:
  virtual ~tokenizer() = default;
  virtual std::vector<uint32_t> encode(std::string_view text, special_tokens special = special_tokens::as_file) const = 0;
  /// The bytes one token stands for. Special tokens give their text when `special_text`, nothing otherwise.
  /// Throws input_error for an id outside the vocabulary.
  virtual std::string token_bytes(uint32_t id, bool special_text = false) const = 0;
  /// The bytes of all of them; without the space at the beginning where the vocabulary drops it. Not always UTF-8: a
  /// character may be cut.
  std::string decode(std::span<const uint32_t> ids, bool special_text = false) const;
  /// The piece as the vocabulary spells it, for people.
  virtual std::string piece(uint32_t id) const = 0;
  virtual const vocabulary& words() const = 0;
};

} // namespace troupe
