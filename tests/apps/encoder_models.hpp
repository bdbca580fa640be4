#pragma once
// Models with encoders for tests of commands: a tiny one that reads words, the recorded ones, and what commands print.
#include "apps/process.hpp"
#include "model/testing/tiny_encoder.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/references.hpp"
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

namespace troupe::testing {

inline std::vector<nlohmann::json> json_lines_of(const std::string& text) {
  std::vector<nlohmann::json> objects;
  std::istringstream in{text};
  for (std::string line; std::getline(in, line);) objects.push_back(nlohmann::json::parse(line));
  return objects;
}

inline std::string joined(const std::vector<uint32_t>& ids) {
  std::string text;
  for (const uint32_t id : ids) text += (text.empty() ? "" : ",") + std::to_string(id);
  return text;
}

/// A tiny bert with a vocabulary of a few words: "a small red kite flew over the old house .", and 64 positions. changes: see
/// write_tiny_encoder.
inline std::string word_reader(const char* model_class, std::string_view changes = "{}") {
  const auto folder = write_tiny_encoder(model_class, "{}", changes);
  nlohmann::json vocab, added;
  for (const char* piece : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
    added.push_back({{"id", vocab.size()}, {"content", piece}, {"special", true}});
    vocab[piece] = vocab.size();
  }
  for (const char* word : {"a", "small", "red", "kite", "flew", "over", "the", "old", "house", ".", "##s", "é"})
    vocab[word] = vocab.size();
  const auto token = [](const char* text, int segment) { return nlohmann::json{{"SpecialToken", {{"id", text}, {"type_id", segment}}}}; };
  const auto text = [](const char* which, int segment) { return nlohmann::json{{"Sequence", {{"id", which}, {"type_id", segment}}}}; };
  const auto special = [](const char* name, int id) { return nlohmann::json{{"id", name}, {"ids", {id}}, {"tokens", {name}}}; };
  std::ofstream(folder / "tokenizer.json") << nlohmann::json{
    {"added_tokens", added},
    {"normalizer",
     {{"type", "BertNormalizer"}, {"clean_text", true}, {"handle_chinese_chars", true}, {"strip_accents", false}, {"lowercase", true}}},
    {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
    {"post_processor",
     {{"type", "TemplateProcessing"},
      {"single", {token("[CLS]", 0), text("A", 0), token("[SEP]", 0)}},
      {"pair", {token("[CLS]", 0), text("A", 0), token("[SEP]", 0), text("B", 1), token("[SEP]", 1)}},
      {"special_tokens", {{"[CLS]", special("[CLS]", 2)}, {"[SEP]", special("[SEP]", 3)}}}}},
    {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}},
    {"model",
     {{"type", "WordPiece"},
      {"unk_token", "[UNK]"},
      {"continuing_subword_prefix", "##"},
      {"max_input_chars_per_word", 100},
      {"vocab", vocab}}}};
  return folder.string();
}

/// A recorded model's folder; empty: there are no references.
inline std::filesystem::path recorded_model(const std::string& name) {
  const auto folder = references() / "hf" / name;
  return std::filesystem::exists(folder) ? folder : std::filesystem::path();
}

inline nlohmann::json golden_of(const std::filesystem::path& folder) {
  return nlohmann::json::parse(std::ifstream(folder / "golden.json"));
}

} // namespace troupe::testing
