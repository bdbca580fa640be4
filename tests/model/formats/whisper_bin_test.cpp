// Claims: a model in the file of whisper.cpp is the one that Hugging Face's folder holds, to the last bit of its logits and the last token
// of its texts; special tokens are where whisper's convention puts them; whatever else such a file holds ends in one input_error.
#include "model/error.hpp"
#include "model/formats/safetensors.hpp"
#include "model/formats/whisper_bin.hpp"
#include "model/model_file.hpp"
#include "model/reference.hpp"
#include "model/testing/tiny_folder.hpp"
#include "model/testing/tiny_model.hpp"
#include "model/tokenizer/make_tokenizer.hpp"
#include "support/catch.hpp"
#include "support/references.hpp"
#include <fstream>
#include <map>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Writes such a file, front to back.
struct bin_builder {
  std::string bytes;
  void number(uint32_t value) { bytes.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void head(uint32_t vocabulary, uint32_t rows, uint32_t width, uint32_t heads, uint32_t layers, uint32_t positions) {
    for (const uint32_t value : {0x67676d6cu, vocabulary, rows, width, heads, layers, positions, width, heads, layers, 80u, 0u, 80u})
      number(value);
    number(3);
    bytes.append(80 * 3 * 4, 0);
  }
  void word(std::string_view text) {
    number(uint32_t(text.size()));
    bytes += text;
  }
  /// shape: the outer dimension first.
  void tensor(std::string_view name, std::vector<uint64_t> shape, std::span<const float> values) {
    number(uint32_t(shape.size()));
    number(uint32_t(name.size()));
    number(0);
    for (auto it = shape.rbegin(); it != shape.rend(); ++it) number(uint32_t(*it));
    bytes += name;
    bytes.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  }
  std::filesystem::path write() const {
    const auto path = temporary_folder() / "ggml-tiny.bin";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
};

std::string replaced(std::string text, const std::vector<std::pair<std::string, std::string>>& by) {
  for (const auto& [from, to] : by)
    if (const size_t at = text.find(from); at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

/// What whisper.cpp calls a tensor.
std::string other_name(const std::string& name) {
  return replaced(name.substr(6),
                  {{"layers.", "blocks."}, {"self_attn_layer_norm", "attn_ln"}, {"encoder_attn_layer_norm", "cross_attn_ln"},
                   {"final_layer_norm", "mlp_ln"}, {"self_attn", "attn"}, {"encoder_attn", "cross_attn"}, {"q_proj", "query"},
                   {"k_proj", "key"}, {"v_proj", "value"}, {"out_proj", "out"}, {"fc1", "mlp.0"}, {"fc2", "mlp.2"},
                   {"encoder.layer_norm", "encoder.ln_post"}, {"decoder.layer_norm", "decoder.ln"},
                   {"embed_positions.weight", "positional_embedding"}, {"embed_tokens", "token_embedding"}});
}

std::filesystem::path whisper() { return references() / "hf" / "whisper"; }

bin_builder same_as_folder() {
  const auto model = open_model(whisper());
  const auto words = make_tokenizer(model->words);
  bin_builder file;
  file.head(model->spec.vocabulary, 50, 32, 4, 2, 96);
  file.number(model->spec.vocabulary);
  for (uint32_t id = 0; id < model->spec.vocabulary; ++id) {
    const std::string& piece = model->words.pieces[id];
    file.word(piece.starts_with("<|") ? piece : words->token_bytes(id));
  }
  const safetensors_reader weights(whisper() / "model.safetensors");
  for (const auto& one : weights.tensors()) {
    const std::string name(one.name);
    if (name == "proj_out.weight") continue;
    auto shape = one.shape;
    if (name.find("conv") != std::string::npos && name.ends_with("bias")) shape.push_back(1); // As whisper.cpp wants it.
    file.tensor(other_name(name), shape, weights.floats(name));
  }
  return file;
}

bin_builder words_only(uint32_t vocabulary, uint32_t words) {
  bin_builder file;
  file.head(vocabulary, 1500, 384, 6, 4, 448);
  file.number(words);
  for (uint32_t id = 0; id < words; ++id) file.word(id == 220 ? " " : "w" + std::to_string(id));
  return file;
}

std::string refusal_of(const bin_builder& file) {
  try {
    open_model(file.write());
    return "";
  } catch (const input_error& error) {
    return error.what();
  }
}

} // namespace

TEST_CASE("a file of whisper.cpp is the model of the folder: the same logits, the same tokens, the same words", "[conformance]") {
  if (!std::filesystem::exists(whisper())) TROUPE_SKIP("no " + whisper().string());
  const auto folder = open_model(whisper()), file = open_model(same_as_folder().write());
  CHECK(file->spec.architecture == "whisper");
  CHECK(file->parameters == folder->parameters);
  const safetensors_reader golden(whisper() / "golden.safetensors");
  const auto features = golden.floats("a.input_features");
  const std::vector<uint32_t> tokens{folder->decoding.speech->start, 5, 77, 310};
  std::vector<std::vector<float>> logits;
  for (const auto& model : {folder, file}) {
    reference_model reference(make_parts(model, {}));
    reference.encode_sound(std::span(features).first(model->spec.feature_elements()));
    logits.push_back(reference.forward(tokens));
  }
  CHECK(logits[0] == logits[1]);
  const auto words = make_tokenizer(folder->words), others = make_tokenizer(file->words);
  for (const char* text : {"Lily said it was a little bird.", " once upon a time,  there\nwas", "caf\xc3\xa9 42 \xe2\x82\xac", "x"}) {
    INFO(text);
    CHECK(words->encode(text, special_tokens::never) == others->encode(text, special_tokens::never));
    CHECK(others->decode(others->encode(text, special_tokens::never)) == text);
  }
  const auto &speech = *folder->decoding.speech, &found = *file->decoding.speech;
  CHECK(found.languages == speech.languages);
  CHECK(found.first_timestamp() == speech.first_timestamp());
  CHECK(found.no_speech == speech.no_speech);
  CHECK(file->decoding.rules.end_tokens == folder->decoding.rules.end_tokens);
}

TEST_CASE("special tokens are behind the words, where whisper has them") {
  struct expected {
    uint32_t vocabulary, words, end, translate, times;
    size_t languages;
  };
  // tiny to large-v2; large-v3; the English ones. From OpenAI's tokenizer.
  for (const auto& one : {expected{51'865, 50'257, 50'257, 50'358, 50'364, 99}, {51'866, 50'257, 50'257, 50'359, 50'365, 100},
                          {51'864, 50'257, 50'256, 50'357, 50'363, 0}}) {
    INFO(one.vocabulary);
    const whisper_bin file(words_only(one.vocabulary, one.words).write());
    const auto& speech = *file.decoding().speech;
    CHECK(file.words().pieces.size() == one.vocabulary);
    CHECK(file.words().eos == one.end);
    CHECK(speech.start == one.end + 1);
    CHECK(speech.languages.size() == one.languages);
    CHECK(speech.first_timestamp() == one.times);
    CHECK(speech.no_speech == one.times - 2);
    CHECK(speech.previous == one.times - 3);
    CHECK(file.words().pieces[one.translate] == "<|translate|>");
    CHECK(file.words().pieces[one.times + 51] == "<|1.02|>");
    CHECK(file.words().pieces.back() == "<|30.00|>");
    CHECK(file.decoding().rules.suppressed_first == std::vector<uint32_t>{one.end, 220});
    if (one.languages == 0) continue;
    CHECK(speech.language("en") == one.end + 2);
    CHECK(speech.translate == one.translate);
    CHECK(speech.transcribe == one.translate + 1);
    CHECK(speech.language("yue").has_value() == (one.languages == 100));
  }
}

TEST_CASE("a file of whisper.cpp that does not fit together is refused by what is wrong in it") {
  CHECK_THAT(refusal_of(words_only(412, 391)), ContainsSubstring("its words: there are 391 of 412 tokens"));
  CHECK_THAT(refusal_of(words_only(51'865, 50'000)), ContainsSubstring("its words"));
  CHECK_THAT(refusal_of(words_only(52'000, 50'257)), ContainsSubstring("more languages"));
  CHECK_THAT(refusal_of(words_only(51'865, 50'257)), ContainsSubstring("ggml-tiny.bin: ") && ContainsSubstring("is missing"));
  auto twice = words_only(51'865, 50'257);
  for (int i = 0; i < 2; ++i) twice.tensor("encoder.conv1.bias", {2}, std::vector<float>{1, 2});
  CHECK_THAT(refusal_of(twice), ContainsSubstring("model.encoder.conv1.bias: comes twice"));
  auto huge = words_only(51'865, 50'257);
  huge.tensor("x", {1u << 30, 1u << 30, 1u << 30}, {});
  CHECK_THAT(refusal_of(huge), ContainsSubstring("is too large"));
  auto type = words_only(51'865, 50'257);
  for (const uint32_t value : {1u, 1u, 99u, 4u}) type.number(value);
  type.bytes += "x";
  CHECK_THAT(refusal_of(type), ContainsSubstring("supported are"));
}

TEST_CASE("however a file of whisper.cpp is damaged, it is read or refused by its name", "[conformance]") {
  if (!std::filesystem::exists(whisper())) TROUPE_SKIP("no " + whisper().string());
  const auto whole = same_as_folder();
  raw_bits bits{3};
  for (int round = 0; round < 200; ++round) {
    auto file = whole;
    if (round % 2 == 0) file.bytes.resize(4 + bits.below(round % 4 == 0 ? 9000 : file.bytes.size() - 4));
    else
      for (uint64_t i = 0; i < 1 + bits.below(4); ++i) file.bytes[4 + bits.below(9000)] = char(bits.below(256));
    INFO(round);
    const auto why = refusal_of(file);
    CHECK((why.empty() || why.find("ggml-tiny.bin") != std::string::npos));
  }
}
