#pragma once
// What a tokenizer is made from, as data.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

enum class tokenizer_kind : uint8_t {
  none,          // The file has no vocabulary: token ids only.
  sentencepiece, // Scores, "▁" for spaces, byte fallback: tokenizer.ggml.model = "llama".
  unigram,       // The likeliest of all ways to cut a text into pieces; scores are log-probabilities.
  byte_pair,     // Byte-level BPE with merges: tokenizer.ggml.model = "gpt2".
};

/// As GGUF numbers them (tokenizer.ggml.token_type).
enum class piece_kind : uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

struct vocabulary {
  tokenizer_kind kind = tokenizer_kind::none;
  std::string pre_tokenizer;       // tokenizer.ggml.pre: "gpt-2", "qwen2", ...
  std::vector<std::string> pieces; // By id, as stored.
  std::vector<float> scores;       // By id; sentencepiece and unigram.
  std::vector<piece_kind> kinds;   // By id.
  std::vector<std::string> merges; // "left right", by rank; byte_pair only.
  std::optional<uint32_t> bos, eos, unknown, padding;
  std::vector<uint32_t> end_of_generation; // Every id that ends a text: eos, and end-of-turn where the file has one.
  bool add_bos = false, add_eos = false;
  bool add_space_prefix = true; // sentencepiece: a text starts with a space.
  std::string chat_template;    // tokenizer.chat_template, or empty.
};

} // namespace troupe
