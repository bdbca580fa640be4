#pragma once
#include "model/tokenizer/added_token_splitter.hpp"
#include "model/tokenizer/tokenizer.hpp"
#include <unordered_map>

namespace troupe {

/// Marian's translation models (Junczys-Dowmunt et al. 2018) as Hugging Face publishes them: a sentencepiece model cuts the text, and
/// another vocabulary, of both languages, numbers the pieces, and stretches that the model does not know where it has them. A text
/// may begin with the language it is to be translated to, ">>fr<<", which is one token; where a language is named, its name is no
/// text wherever it stands. The same after each special token.
class marian_tokenizer final : public tokenizer {
public:
  /// cutter: made from words.cutter without its rules. Throws input_error when a vocabulary is inconsistent.
  marian_tokenizer(const vocabulary& words, std::shared_ptr<const tokenizer> cutter);
  ~marian_tokenizer() override;

  std::string token_bytes(uint32_t id, bool special_text) const override;
  /// Stretches between special tokens lose the space they begin with, a special token has one behind it, the whole has none around it.
  std::string decode(std::span<const uint32_t> ids, bool special_text) const override;
  std::string piece(uint32_t id) const override;
  const vocabulary& words() const override { return words_; }

private:
  void tokenize(std::string_view text, bool with_special, bool traces, std::vector<token>& tokens) const override;
  void encode_stretch(std::string_view text, size_t offset, bool with_codes, bool traces, std::vector<token>& tokens) const;
  void check_id(uint32_t id) const;
  bool is_special(uint32_t id) const;

  vocabulary words_;
  normalizer rules_;                        // The cutter's,
  std::shared_ptr<const tokenizer> cutter_; // which has none itself: what is no piece of its own may be one here, as its rules left it.
  std::vector<uint32_t> ids_;               // By the cutter's ids.
  std::unordered_map<std::string, uint32_t> by_text_;
  piece_matcher special_;
};

} // namespace troupe
