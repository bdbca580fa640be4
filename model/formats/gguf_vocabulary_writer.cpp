#include "model/error.hpp"
#include "model/formats/byte_reader.hpp"
#include "model/formats/gguf_vocabulary.hpp"
#include "model/utf8.hpp"
#include <algorithm>
#include <array>
#include <unordered_map>

namespace troupe {
namespace {

constexpr std::string_view space_symbol = "\xE2\x96\x81"; // U+2581

/// Patterns as tokenizer.json spells them, and the name under which llama.cpp knows them.
struct named_patterns {
  std::string_view name;
  bool whole_words_first;
  std::vector<std::string_view> expressions;
};

const std::vector<named_patterns>& all_named_patterns() {
  constexpr const char* gpt2 =
      R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
  constexpr const char* qwen2 = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
                                R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
  constexpr const char* llama3 =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
      R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
  static const std::vector<named_patterns> all{{"gpt-2", false, {gpt2}},
                                               {"qwen2", false, {qwen2}},
                                               {"llama-bpe", true, {llama3}},
                                               {"dbrx", false, {llama3}},
                                               {"smollm", false, {R"(\p{N})", gpt2}}};
  return all;
}

/// Writes one vocabulary.
class gguf_vocabulary_writer {
public:
  gguf_vocabulary_writer(gguf_header& header, const vocabulary& words, std::string_view of)
      : header_(header), words_(words), of_(of) {}

  void write() {
    for (const auto& rule : words_.rules)
      if (rule.kind != text_rule_kind::nfc) fail("it changes texts in ways that GGUF files do not know");
    if (!words_.single.empty()) fail("GGUF files know at most one token before a text and one behind it");
    switch (words_.kind) {
    case tokenizer_kind::none:
      return header_.add_string("tokenizer.ggml.model", "no_vocab");
    case tokenizer_kind::sentencepiece:
      return write_llama(words_.scores);
    case tokenizer_kind::character_pair:
      require_same_without_splitting();
      return write_llama(scores_of_merges());
    case tokenizer_kind::byte_pair:
      return write_gpt2();
    case tokenizer_kind::unigram:
      fail("a unigram vocabulary cannot be written to a GGUF file");
    case tokenizer_kind::word_piece:
      fail("a WordPiece vocabulary cannot be written to a GGUF file");
    case tokenizer_kind::marian:
      break;
    }
    fail("a vocabulary of Marian cannot be written to a GGUF file");
  }

private:
  [[noreturn]] void fail(const std::string& reason) const {
    throw input_error(of_ + ": the vocabulary: " + reason);
  }

  void write_llama(const std::vector<float>& scores) {
    if (words_.prefix != space_prefix::none && words_.prefix != space_prefix::always) {
      fail("GGUF files know no space that is put before a text only where it begins with none "
           "(Metaspace in tokenizer.json)");
    }
    header_.add_string("tokenizer.ggml.model", "llama");
    header_.add_string("tokenizer.ggml.pre", "default");
    header_.add_strings("tokenizer.ggml.tokens", words_.pieces);
    header_.add_floats("tokenizer.ggml.scores", scores);
    write_rest();
    header_.add_bool("tokenizer.ggml.add_space_prefix", words_.prefix == space_prefix::always);
  }

  void write_gpt2() {
    if (words_.prefix != space_prefix::none)
      fail("GGUF files know no space before a text in a byte-level vocabulary");
    header_.add_string("tokenizer.ggml.model", "gpt2");
    header_.add_string("tokenizer.ggml.pre", name_of_patterns());
    header_.add_strings("tokenizer.ggml.tokens", words_.pieces);
    header_.add_strings("tokenizer.ggml.merges", words_.merges);
    write_rest();
  }

  void write_rest() {
    std::vector<int32_t> kinds;
    for (const auto kind : words_.kinds) kinds.push_back(static_cast<int32_t>(kind));
    header_.add_ints("tokenizer.ggml.token_type", kinds);
    const auto add_id = [&](const char* key, const std::optional<uint32_t>& id) {
      if (id) header_.add_u32(key, *id);
    };
    add_id("tokenizer.ggml.bos_token_id", words_.bos);
    add_id("tokenizer.ggml.eos_token_id", words_.eos);
    add_id("tokenizer.ggml.unknown_token_id", words_.unknown);
    add_id("tokenizer.ggml.padding_token_id", words_.padding);
    // Two keys there are for further ends of a text; those that more tokens would need go by their names.
    std::vector<uint32_t> ends;
    for (const uint32_t id : words_.end_of_generation)
      if (id != words_.eos) ends.push_back(id);
    if (!ends.empty()) header_.add_u32("tokenizer.ggml.eot_token_id", ends[0]);
    if (ends.size() > 1) header_.add_u32("tokenizer.ggml.eom_token_id", ends[1]);
    header_.add_bool("tokenizer.ggml.add_bos_token", words_.add_bos);
    header_.add_bool("tokenizer.ggml.add_eos_token", words_.add_eos);
    if (!words_.chat_template.empty()) header_.add_string("tokenizer.chat_template", words_.chat_template);
  }

  std::string_view name_of_patterns() const {
    if (words_.patterns.empty()) return words_.pre_tokenizer.empty() ? "default" : std::string_view(words_.pre_tokenizer);
    const auto is_same = [&](const named_patterns& known) {
      return known.whole_words_first == words_.whole_words_first &&
             std::equal(known.expressions.begin(), known.expressions.end(), words_.patterns.begin(),
                        words_.patterns.end(), [](std::string_view expression, const word_pattern& pattern) {
                          return pattern.expression == expression && !pattern.drops_rest;
                        });
    };
    const auto& all = all_named_patterns();
    const auto found = std::find_if(all.begin(), all.end(), is_same);
    if (found != all.end()) return found->name;
    std::string known;
    for (const auto& one : all) known += (known.empty() ? "" : ", ") + std::string(one.name);
    fail("GGUF files name their pre-tokenizer, and no name is known here for the patterns of this one; known are those of " +
         known);
  }

  bool is_ordinary(uint32_t id) const {
    return words_.kinds[id] == piece_kind::normal || words_.kinds[id] == piece_kind::user_defined;
  }

  /// Where words are split at spaces first, no piece may reach beyond one.
  void require_same_without_splitting() const {
    if (!words_.splits_at_spaces) return;
    for (uint32_t id = 0; id < words_.pieces.size(); ++id) {
      if (is_ordinary(id) && words_.pieces[id].find(space_symbol, 1) != std::string::npos) {
        fail("text is split at spaces before it is merged, and the piece " + in_quotes(words_.pieces[id]) +
             " has one inside; GGUF files know no such splitting");
      }
    }
  }

  std::vector<float> scores_of_merges() const {
    std::unordered_map<std::string_view, uint32_t> ids;
    for (uint32_t id = 0; id < words_.pieces.size(); ++id)
      if (is_ordinary(id)) ids.emplace(words_.pieces[id], id);
    constexpr float not_merged = 1;
    std::vector<float> scores(words_.pieces.size(), not_merged);
    std::vector<uint32_t> ways(words_.pieces.size()); // Merges that give the piece.
    std::optional<uint32_t> before;
    for (size_t rank = 0; rank < words_.merges.size(); ++rank) {
      std::string whole = words_.merges[rank];
      whole.erase(whole.find(' ', 1), 1);
      const auto found = ids.find(whole);
      if (found == ids.end()) continue; // No text is merged to it.
      const uint32_t id = found->second;
      if (before != id && scores[id] != not_merged) refuse_merges(id);
      if (scores[id] == not_merged) scores[id] = -static_cast<float>(rank);
      before = id;
      ++ways[id];
    }
    for (uint32_t id = 0; id < words_.pieces.size(); ++id) {
      if (scores[id] == not_merged) scores[id] = 0;
      if (is_ordinary(id) && ways[id] != ways_to(words_.pieces[id], ids)) refuse_merges(id);
    }
    return scores;
  }

  /// Into how many pairs of pieces a piece can be cut.
  static uint32_t ways_to(std::string_view piece, const std::unordered_map<std::string_view, uint32_t>& ids) {
    uint32_t ways = 0;
    for (size_t cut = 0; cut < piece.size(); cut += utf8_next(piece, cut).bytes)
      ways += ids.contains(piece.substr(0, cut)) && ids.contains(piece.substr(cut)); // Never the empty one.
    return ways;
  }

  [[noreturn]] void refuse_merges(uint32_t id) const {
    fail("GGUF files merge pieces by their scores, but the merges that give " + in_quotes(words_.pieces[id]) +
         " are in an order that no scores have");
  }

  gguf_header& header_;
  const vocabulary& words_;
  std::string of_;
};

} // namespace

void add_vocabulary(gguf_header& header, const vocabulary& words, std::string_view of) {
  gguf_vocabulary_writer(header, words, of).write();
}

} // namespace troupe
