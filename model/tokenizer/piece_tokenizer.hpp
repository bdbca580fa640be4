#pragma once
// What all tokenizers made of pieces have in common.
#include "model/tokenizer/added_token_splitter.hpp"
#include "model/tokenizer/normalizer.hpp"
#include "model/tokenizer/piece_matcher.hpp"
#include "model/tokenizer/rewritten_text.hpp"
#include "model/tokenizer/tokenizer.hpp"
#include <array>
#include <unordered_map>

namespace troupe {

/// Holds the vocabulary, finds special pieces, changes text by the vocabulary's rules and keeps account of where what is left came from;
/// leaves ordinary text to its children.
/// Ordinary text never becomes a control, unknown, unused or byte piece by its spelling. (llama.cpp lets
/// merges end in one; sentencepiece does not, and untrusted text must not become control tokens.)
class piece_tokenizer : public tokenizer {
public:
  /// Throws input_error when the vocabulary is inconsistent.
  explicit piece_tokenizer(const vocabulary& words);
  ~piece_tokenizer() override;
  piece_tokenizer(const piece_tokenizer&) = delete; // The look-up table points into the vocabulary.
  piece_tokenizer& operator=(const piece_tokenizer&) = delete;

  std::string token_bytes(uint32_t id, bool special_text) const final;
  std::string piece(uint32_t id) const final;
  const vocabulary& words() const final { return words_; }

protected:
  /// Appends the tokens of normalised text (not empty, not special) with what is to be before it. Places are bytes of `text`.
  virtual void encode_text(std::string_view text, std::vector<token>& tokens) const = 0;
  /// The bytes a normal piece stands for.
  virtual std::string spell(std::string_view piece) const = 0;

  /// The ordinary piece with this spelling.
  std::optional<uint32_t> find(std::string_view text) const;
  size_t piece_bytes_max() const { return piece_bytes_max_; }
  /// The two pieces of merge `rank`; throws input_error when it is not two with a space between them.
  std::pair<std::string_view, std::string_view> halves_of_merge(size_t rank) const;
  /// The piece <0xNN> of a byte, if the vocabulary has it.
  std::optional<uint32_t> byte_piece(uint8_t byte) const { return byte_pieces_[byte]; }
  /// The unknown token, for bytes that the vocabulary cannot represent; throws input_error when it has none.
  uint32_t unknown_or_throw(std::string_view bytes) const;

private:
  piece_kind kind_of(uint32_t id) const { return words_.kinds[id]; }
  void check_id(uint32_t id) const;
  void tokenize(std::string_view text, bool with_special, bool traces, std::vector<token>& tokens) const final;
  void encode_stretch(const rewritten_text& normal, bool at_start, bool with_special, std::vector<token>& tokens) const;
  void encode_words(const rewritten_text& normal, size_t begin, size_t end, bool at_start, std::vector<token>& tokens) const;
  void encode_part(const rewritten_text& normal, size_t begin, size_t end, bool at_start, std::vector<token>& tokens) const;
  std::string_view prefix_of(std::string_view text, bool at_start) const;
  void index_pieces();

  vocabulary words_;
  std::optional<normalizer> rules_;
  std::unordered_map<std::string_view, uint32_t> ordinary_; // normal and user_defined pieces.
  std::array<std::optional<uint32_t>, 256> byte_pieces_;
  size_t piece_bytes_max_ = 0;
  piece_matcher user_defined_; // Found in any text.
  piece_matcher all_special_;  // Found where special tokens are wanted.
  std::optional<added_token_splitter> added_tokens_; // Instead of the two above, where the vocabulary lists them.
};

} // namespace troupe
