#pragma once
// Configurations and vocabularies for models that begin.
#include "model/families/new_model.hpp"
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace troupe {

inline std::vector<std::string> new_families() { return {"llama", "qwen2", "qwen3", "gpt2"}; }

/// A config.json as Hugging Face writes it, of a small model.
inline nlohmann::ordered_json new_config(const std::string& family) {
  if (family == "gpt2") {
    return {{"model_type", "gpt2"},     {"architectures", {"GPT2LMHeadModel"}}, {"activation_function", "gelu_new"},
            {"n_embd", 32},             {"n_layer", 3},                         {"n_head", 4},
            {"n_positions", 64},        {"vocab_size", 300},                    {"layer_norm_epsilon", 1e-5},
            {"initializer_range", 0.05}};
  }
  nlohmann::ordered_json config{{"model_type", family},
                                {"hidden_act", "silu"},
                                {"hidden_size", 32},
                                {"num_hidden_layers", 3},
                                {"num_attention_heads", 4},
                                {"num_key_value_heads", 2},
                                {"intermediate_size", 48},
                                {"max_position_embeddings", 64},
                                {"vocab_size", 300},
                                {"rms_norm_eps", 1e-6},
                                {"rope_theta", 5000.0}};
  if (family == "qwen3") config["head_dim"] = 16;
  return config;
}

/// <unk>, <s>, </s>, all bytes, and some words: 280 pieces.
inline vocabulary new_words() {
  vocabulary words;
  words.kind = tokenizer_kind::sentencepiece;
  const auto add = [&](const std::string& piece, piece_kind kind, float score = 0) {
    words.pieces.push_back(piece);
    words.kinds.push_back(kind);
    words.scores.push_back(score);
  };
  add("<unk>", piece_kind::unknown);
  add("<s>", piece_kind::control);
  add("</s>", piece_kind::control);
  for (int byte = 0; byte < 256; ++byte) {
    char piece[8];
    std::snprintf(piece, sizeof piece, "<0x%02X>", byte);
    add(piece, piece_kind::byte);
  }
  const char* some[] = {"▁", "e",  "t",  "a", "o",   "n",    "h", "s",  "▁t", "he",
                        "▁a", "▁the", "r", "d", "▁and", "nd", "i", "in", "ä",  "l", "ll"};
  float score = 0;
  for (const char* piece : some) add(piece, piece_kind::normal, score -= 1);
  words.unknown = 0;
  words.bos = 1;
  words.eos = 2;
  words.end_of_generation = {2};
  words.add_bos = true;
  words.prefix = space_prefix::always;
  return words;
}

} // namespace troupe
