#include "model/formats/gguf_vocabulary.hpp"
#include "model/formats/byte_reader.hpp"
#include "model/utf8.hpp"
#include <algorithm>
#include <array>

namespace troupe {
namespace {

constexpr std::string_view tokens_key = "tokenizer.ggml.tokens";
constexpr std::string_view scores_key = "tokenizer.ggml.scores";
constexpr std::string_view kinds_key = "tokenizer.ggml.token_type";
constexpr std::string_view merges_key = "tokenizer.ggml.merges";
constexpr std::string_view chat_template_key = "tokenizer.chat_template";

// Pieces that end a text or a turn in published models. Files rarely say so by id; llama.cpp, too, goes by
// these names.
constexpr std::array<std::string_view, 12> ends_of_text{
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "<end_of_utterance>",
    "<\xef\xbd\x9c"
    "end\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\x9c>"}; // deepseek, with wide bars.

tokenizer_kind read_kind(const gguf& file) {
  const auto model = file.find_string("tokenizer.ggml.model");
  if (!model || *model == "none" || *model == "no_vocab") return tokenizer_kind::none;
  if (*model == "llama") return tokenizer_kind::sentencepiece;
  if (*model == "gpt2") return tokenizer_kind::byte_pair;
  file.fail("tokenizer.ggml.model",
            in_quotes(*model) +
                " is not supported; supported are llama (sentencepiece) and gpt2 (byte-level BPE)");
}

const gguf_array& get_array(const gguf& file, std::string_view key) {
  const gguf_array* array = file.find_array(key);
  if (array == nullptr) file.fail(key, "this key is missing");
  return *array;
}

void read_pieces(const gguf& file, uint32_t embedding_rows, vocabulary& words) {
  const gguf_array& tokens = get_array(file, tokens_key);
  if (tokens.count == 0) file.fail(tokens_key, "the vocabulary is empty");
  if (tokens.count > embedding_rows) {
    file.fail(tokens_key, "has " + std::to_string(tokens.count) + " pieces, but the model embeds only " +
                              std::to_string(embedding_rows));
  }
  words.pieces.reserve(embedding_rows);
  file.for_each_string(tokens_key, tokens, [&](std::string_view piece) { words.pieces.emplace_back(piece); });
}

/// The array under `key` must have one element for each piece the file has.
const gguf_array* find_array_by_id(const gguf& file, std::string_view key, size_t pieces) {
  const gguf_array* array = file.find_array(key);
  if (array != nullptr && array->count != pieces) {
    file.fail(key, "has " + std::to_string(array->count) + " elements; " + std::string(tokens_key) + " has " +
                       std::to_string(pieces));
  }
  return array;
}

void read_scores(const gguf& file, vocabulary& words) {
  if (words.kind != tokenizer_kind::sentencepiece) return;
  const gguf_array* scores = find_array_by_id(file, scores_key, words.pieces.size());
  words.scores.reserve(words.pieces.capacity());
  if (scores == nullptr) return words.scores.resize(words.pieces.size());
  file.for_each_number(scores_key, *scores, [&](double score) {
    if (score != score)
      file.fail(scores_key, "element " + std::to_string(words.scores.size()) + " is not a number");
    words.scores.push_back(static_cast<float>(score));
  });
}

void read_kinds(const gguf& file, vocabulary& words) {
  const gguf_array* kinds = find_array_by_id(file, kinds_key, words.pieces.size());
  words.kinds.reserve(words.pieces.capacity());
  if (kinds == nullptr) return words.kinds.resize(words.pieces.size(), piece_kind::normal);
  file.for_each_number(kinds_key, *kinds, [&](double number) {
    const auto is_known = number >= 1 && number <= 6 && number == double(int(number));
    // 0 is "undefined" in the format, and harmless: such pieces are ordinary ones.
    if (!is_known && number != 0) {
      file.fail(kinds_key,
                "element " + std::to_string(words.kinds.size()) + " is not a kind of piece; wanted 0 to 6");
    }
    words.kinds.push_back(is_known ? static_cast<piece_kind>(int(number)) : piece_kind::normal);
  });
}

void read_merges(const gguf& file, vocabulary& words) {
  if (words.kind != tokenizer_kind::byte_pair) return;
  const gguf_array& merges = get_array(file, merges_key);
  file.for_each_string(merges_key, merges, [&](std::string_view merge) {
    // The left half may begin with a space in some vocabularies, so the separator is looked for behind the
    // first byte.
    const size_t space = merge.find(' ', 1);
    if (space == std::string_view::npos || space + 1 == merge.size()) {
      file.fail(merges_key, "element " + std::to_string(words.merges.size()) + ", " + in_quotes(merge) +
                                ", is not \"left right\"");
    }
    words.merges.emplace_back(merge);
  });
}

void fill_up(uint32_t embedding_rows, vocabulary& words) {
  for (size_t id = words.pieces.size(); id < embedding_rows; ++id) {
    words.pieces.push_back("[PAD" + std::to_string(id) + "]");
    words.kinds.push_back(piece_kind::unused);
    if (words.kind == tokenizer_kind::sentencepiece) words.scores.push_back(0);
  }
}

std::optional<uint32_t> read_id(const gguf& file, std::string_view key, size_t pieces,
                                std::optional<uint32_t> otherwise) {
  const auto id = file.find_unsigned(key);
  if (!id) return otherwise && *otherwise < pieces ? otherwise : std::nullopt;
  if (*id >= pieces) {
    file.fail(key, "id " + std::to_string(*id) + " is outside the vocabulary of " + std::to_string(pieces));
  }
  return static_cast<uint32_t>(*id);
}

void read_special_ids(const gguf& file, vocabulary& words) {
  const size_t pieces = words.pieces.size();
  const bool is_sentencepiece = words.kind == tokenizer_kind::sentencepiece;
  using id = std::optional<uint32_t>;
  words.bos = read_id(file, "tokenizer.ggml.bos_token_id", pieces, is_sentencepiece ? id(1) : id(11));
  words.eos = read_id(file, "tokenizer.ggml.eos_token_id", pieces, is_sentencepiece ? id(2) : id(11));
  words.unknown = read_id(file, "tokenizer.ggml.unknown_token_id", pieces, is_sentencepiece ? id(0) : id());
  // Published files exist whose padding id is one past the end. Nothing here pads, so that costs them
  // nothing.
  const auto padding = file.find_unsigned("tokenizer.ggml.padding_token_id");
  if (padding && *padding < pieces) words.padding = static_cast<uint32_t>(*padding);

  auto& ends = words.end_of_generation;
  if (words.eos) ends.push_back(*words.eos);
  for (const auto key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    if (const auto end = read_id(file, key, pieces, std::nullopt)) ends.push_back(*end);
  }
  for (size_t i = 0; i < pieces; ++i) {
    const bool is_end =
        std::find(ends_of_text.begin(), ends_of_text.end(), words.pieces[i]) != ends_of_text.end();
    if (is_end) ends.push_back(static_cast<uint32_t>(i));
  }
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
}

/// Pre-tokenizers whose vocabularies begin a text with BOS unless the file says otherwise.
bool begins_with_bos(std::string_view pre_tokenizer) {
  constexpr std::array<std::string_view, 7> names{"llama3",  "llama-v3", "llama-bpe", "falcon3",
                                                  "pixtral", "tekken",   "chameleon"};
  return std::find(names.begin(), names.end(), pre_tokenizer) != names.end();
}

/// Pre-tokenizers of vocabularies whose tokenizer.json begins with form NFC: those of Qwen, of GPT-NeoX (mpt, olmo) and of Cohere.
/// GGUF files do not say it, and llama.cpp does not do it, but the models were trained with it.
bool begins_with_composition(std::string_view pre_tokenizer) {
  constexpr std::array<std::string_view, 6> names{"qwen2", "qwen35", "deepseek-r1-qwen", "mpt", "olmo", "command-r"};
  return std::find(names.begin(), names.end(), pre_tokenizer) != names.end();
}

void read_pre_tokenizer(const gguf& file, vocabulary& words) {
  const auto name = file.find_string("tokenizer.ggml.pre");
  words.pre_tokenizer = name.value_or("default");
  if (words.kind != tokenizer_kind::byte_pair) return;
  if (begins_with_composition(words.pre_tokenizer)) words.rules.push_back({.kind = text_rule_kind::nfc});
  if (name) return;
  words.warnings.push_back("tokenizer.ggml.pre is missing: how text is cut into words before it becomes tokens is assumed to be "
                           "\"default\", as llama.cpp does; if that is not what the model was trained with, its answers are worse");
}

void read_flags(const gguf& file, vocabulary& words) {
  const bool is_sentencepiece = words.kind == tokenizer_kind::sentencepiece;
  const bool bos_by_default = is_sentencepiece || begins_with_bos(words.pre_tokenizer);
  words.add_bos = file.find_bool("tokenizer.ggml.add_bos_token").value_or(bos_by_default);
  words.add_eos = file.find_bool("tokenizer.ggml.add_eos_token").value_or(false);
  const bool has_prefix = file.find_bool("tokenizer.ggml.add_space_prefix").value_or(is_sentencepiece);
  words.prefix = has_prefix && is_sentencepiece ? space_prefix::always : space_prefix::none;
  if (words.add_bos && !words.bos) {
    file.fail("tokenizer.ggml.add_bos_token",
              "wants a first token, but tokenizer.ggml.bos_token_id is missing");
  }
  if (words.add_eos && !words.eos) {
    file.fail("tokenizer.ggml.add_eos_token",
              "wants a last token, but tokenizer.ggml.eos_token_id is missing");
  }
}

void read_chat_template(const gguf& file, vocabulary& words) {
  const auto found = file.find_string(chat_template_key);
  if (!found) return;
  if (found->size() > chat_template_bytes_max) {
    file.fail(chat_template_key, "has " + std::to_string(found->size()) + " bytes; at most " + std::to_string(chat_template_bytes_max) +
                                     " are read");
  }
  if (!is_utf8(*found)) file.fail(chat_template_key, "is not UTF-8");
  words.chat_template = *found;
}

} // namespace

vocabulary read_vocabulary(const gguf& file, uint32_t embedding_rows) {
  vocabulary words;
  words.kind = read_kind(file);
  if (words.kind == tokenizer_kind::none) return words;
  read_pre_tokenizer(file, words);
  read_pieces(file, embedding_rows, words);
  read_scores(file, words);
  read_kinds(file, words);
  read_merges(file, words);
  read_special_ids(file, words);
  fill_up(embedding_rows, words);
  read_flags(file, words);
  read_chat_template(file, words);
  return words;
}

} // namespace troupe
