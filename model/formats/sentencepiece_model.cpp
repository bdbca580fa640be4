#include "model/formats/sentencepiece_model.hpp"
#include "model/error.hpp"
#include "model/formats/json.hpp"
#include "model/formats/protobuf_reader.hpp"
#include "model/tokenizer/characters.hpp"
#include "model/tokenizer/normalizer.hpp"
#include <cmath>

namespace troupe {
namespace {

constexpr uint64_t model_bytes_max = 256 << 20;
constexpr size_t pieces_max = 1 << 20;

/// Reads a ModelProto (sentencepiece_model.proto); the numbers below are those of its fields.
class model_reader {
public:
  explicit model_reader(const std::filesystem::path& path)
      : path_(path), bytes_(read_text(path, model_bytes_max)),
        rule_{.kind = text_rule_kind::sentencepiece, .drops_spaces = true, .adds_space = true} {
    words_.unknown_text = " \xE2\x81\x87 "; // U+2047, "⁇".
  }

  vocabulary read() {
    protobuf_reader model(std::as_bytes(std::span(bytes_)), path_.string());
    while (const auto field = model.next()) {
      if (field->number == 1) read_piece(model.message(*field));
      if (field->number == 2) read_trainer(model.message(*field));
      if (field->number == 3) read_normalizer(model.message(*field));
      if (field->number == 5) read_denormalizer(model.message(*field));
    }
    if (words_.pieces.empty()) fail("has no pieces");
    finish();
    return std::move(words_);
  }

private:
  [[noreturn]] void fail(const std::string& reason) const { throw input_error(path_.string() + ": the file: " + reason); }

  void read_piece(protobuf_reader piece) {
    std::string text;
    float score = 0;
    uint64_t kind = 1;
    while (const auto field = piece.next()) {
      if (field->number == 1) text = piece.text(*field);
      if (field->number == 2) score = piece.float32(*field);
      if (field->number == 3) kind = piece.number(*field);
    }
    const std::string name = "piece " + std::to_string(words_.pieces.size());
    if (words_.pieces.size() == pieces_max) fail("has more than " + std::to_string(pieces_max) + " pieces");
    if (text.empty()) fail(name + " is empty");
    if (!(std::abs(score) <= 1e30f)) fail("the score of " + name + " is not a number from -1e30 to 1e30");
    if (kind < 1 || kind > 6) fail(name + " is of the unknown kind " + std::to_string(kind));
    words_.pieces.push_back(std::move(text));
    words_.scores.push_back(score);
    words_.kinds.push_back(static_cast<piece_kind>(kind)); // GGUF numbers them as sentencepiece does.
  }

  void read_trainer(protobuf_reader trainer) {
    while (const auto field = trainer.next()) {
      if (field->number == 3) model_type_ = trainer.number(*field);
      if (field->number == 24 && trainer.flag(*field)) fail("spaces as the end of pieces (treat_whitespace_as_suffix) are not supported");
      if (field->number == 44) words_.unknown_text = trainer.text(*field);
      if (field->number == 46) bos_ = trainer.text(*field);
      if (field->number == 47) eos_ = trainer.text(*field);
      if (field->number == 48) padding_ = trainer.text(*field);
    }
  }

  void read_normalizer(protobuf_reader normalizer) {
    while (const auto field = normalizer.next()) {
      if (field->number == 2) rule_.content = normalizer.text(*field);
      if (field->number == 3) rule_.adds_space = normalizer.flag(*field);
      if (field->number == 4) rule_.drops_spaces = normalizer.flag(*field);
      if (field->number == 5) rule_.marks_spaces = normalizer.flag(*field);
    }
  }

  void read_denormalizer(protobuf_reader denormalizer) {
    while (const auto field = denormalizer.next())
      if (field->number == 2 && !denormalizer.text(*field).empty()) fail("rules for decoding (denormalizer_spec) are not supported");
  }

  void finish() {
    constexpr const char* types[] = {"none", "unigram", "bpe", "word", "char"};
    if (model_type_ != 1 && model_type_ != 2) {
      fail("the model type " + (model_type_ < 5 ? std::string(types[model_type_]) : std::to_string(model_type_)) +
           " is not supported; supported are unigram and bpe");
    }
    words_.kind = model_type_ == 1 ? tokenizer_kind::unigram : tokenizer_kind::sentencepiece;
    words_.fuses_unknown = true;
    words_.added_tokens.emplace();
    for (uint32_t id = 0; id < words_.pieces.size(); ++id) {
      if (words_.kinds[id] == piece_kind::unknown) {
        if (words_.unknown) fail("has more than one unknown piece");
        words_.unknown = id;
      }
      if (words_.kinds[id] == piece_kind::user_defined) words_.added_tokens->push_back({.id = id, .normalized = true});
      if (words_.kinds[id] != piece_kind::control) continue;
      if (words_.pieces[id] == bos_) words_.bos = id;
      if (words_.pieces[id] == eos_) words_.eos = id;
      if (words_.pieces[id] == padding_) words_.padding = id;
    }
    if (!words_.unknown) fail("has no unknown piece");
    if (words_.eos) words_.end_of_generation = {*words_.eos};
    words_.splits_at_spaces = may_split_at_spaces();
    words_.drops_first_spaces = rule_.drops_spaces && rule_.marks_spaces;
    words_.drops_first_space = rule_.adds_space && rule_.marks_spaces;
    words_.rules = {rule_};
    try {
      const normalizer check(words_);
    } catch (const input_error& error) {
      fail(error.what());
    }
  }

  /// Where no piece has a "▁" behind its first character, a text can be cut before each without changing anything: it costs less.
  bool may_split_at_spaces() const {
    bool has_space = false;
    for (uint32_t id = 0; id < words_.pieces.size(); ++id) {
      const auto kind = words_.kinds[id];
      if (kind != piece_kind::normal && kind != piece_kind::user_defined) continue;
      has_space = has_space || (words_.pieces[id] == space_mark && kind == piece_kind::normal);
      if (words_.pieces[id].find(space_mark, 1) != std::string::npos) return false;
    }
    return has_space;
  }

  std::filesystem::path path_;
  std::string bytes_;
  text_rule rule_;
  uint64_t model_type_ = 1;
  std::string bos_ = "<s>", eos_ = "</s>", padding_ = "<pad>";
  vocabulary words_;
};

} // namespace

vocabulary read_sentencepiece_model(const std::filesystem::path& path) { return model_reader(path).read(); }

} // namespace troupe
