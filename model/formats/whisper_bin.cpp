#include "model/formats/whisper_bin.hpp"
#include "model/error.hpp"
#include "model/formats/byte_reader.hpp"
#include "model/tokenizer/byte_pair.hpp"
#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace troupe {
namespace {

constexpr uint32_t magic = 0x67676d6c; // "ggml"
constexpr uint32_t vocabulary_max = 1 << 20, word_bytes_max = 256, words_bytes_max = 8 << 20, name_bytes_max = 256;

/// Walks through the file. Each call says what is read, for errors.
class bin_cursor {
public:
  explicit bin_cursor(const input_file& file) : file_(file) {}
  uint64_t at() const { return at_; }
  bool is_at_end() const { return at_ == file_.size(); }
  [[noreturn]] void fail(const std::string& what, const std::string& why) const {
    throw input_error(file_.path().string() + ": " + what + ": " + why);
  }
  uint32_t number(const std::string& what, uint32_t least, uint32_t most) {
    uint32_t value = 0;
    require(sizeof value, what);
    file_.read(at_, std::as_writable_bytes(std::span(&value, 1)));
    at_ += sizeof value;
    if (value < least || value > most)
      fail(what, "is " + std::to_string(value) + "; wanted " + std::to_string(least) + " to " + std::to_string(most));
    return value;
  }
  std::string text(uint32_t bytes, const std::string& what) {
    std::string value(bytes, 0);
    require(bytes, what);
    file_.read(at_, std::as_writable_bytes(std::span(value)));
    at_ += bytes;
    return value;
  }
  void skip(uint64_t bytes, const std::string& what) {
    require(bytes, what);
    at_ += bytes;
  }

private:
  void require(uint64_t bytes, const std::string& what) const {
    if (bytes > file_.size() - at_) fail(what, "the file ends here");
  }
  const input_file& file_;
  uint64_t at_ = 0;
};

struct sizes {
  uint32_t vocabulary, source_rows, width, encoder_heads, encoder_layers, positions, decoder_heads, decoder_layers, bins;
};

sizes read_sizes(bin_cursor& file) {
  constexpr uint32_t any = 1 << 20; // The family knows better bounds.
  if (file.number("its kind", 0, UINT32_MAX) != magic) file.fail("the file", "is no model of whisper.cpp");
  sizes read{};
  read.vocabulary = file.number("n_vocab", 1, vocabulary_max);
  read.source_rows = file.number("n_audio_ctx", 1, any);
  read.width = file.number("n_audio_state", 1, any);
  read.encoder_heads = file.number("n_audio_head", 1, any);
  read.encoder_layers = file.number("n_audio_layer", 1, any);
  read.positions = file.number("n_text_ctx", 1, any);
  file.number("n_text_state", read.width, read.width);
  read.decoder_heads = file.number("n_text_head", 1, any);
  read.decoder_layers = file.number("n_text_layer", 1, any);
  read.bins = file.number("n_mels", 1, any);
  file.number("ftype", 0, UINT32_MAX); // Of most tensors; each says its own.
  const uint64_t bands = file.number("bands of pitch", 1, any);
  const uint64_t frequencies = file.number("frequencies of a band", 1, any);
  file.skip(bands * frequencies * sizeof(float), "bands of pitch");
  return read;
}

/// feed_forward: of encoder and decoder.
std::string config_of(const sizes& of, uint32_t start, uint32_t end, std::pair<uint64_t, uint64_t> feed_forward) {
  std::string text = R"({"model_type":"whisper","architectures":["WhisperForConditionalGeneration"],"activation_function":"gelu")";
  const auto add = [&](const char* key, uint64_t value) { text.append(",\"").append(key).append("\":").append(std::to_string(value)); };
  add("vocab_size", of.vocabulary);
  add("d_model", of.width);
  add("num_mel_bins", of.bins);
  add("max_source_positions", of.source_rows);
  add("max_target_positions", of.positions);
  add("encoder_layers", of.encoder_layers);
  add("decoder_layers", of.decoder_layers);
  add("encoder_attention_heads", of.encoder_heads);
  add("decoder_attention_heads", of.decoder_heads);
  add("encoder_ffn_dim", feed_forward.first);
  add("decoder_ffn_dim", feed_forward.second);
  add("decoder_start_token_id", start);
  add("eos_token_id", end);
  return text + "}";
}

/// In the order of their tokens.
constexpr std::string_view languages =
  "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml cy sk te fa lv bn sr "
  "az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl "
  "mg as tt haw ln ha ba jw su yue";

constexpr uint32_t english_vocabulary = 51'864; // All others know several languages.

/// The names of the tokens behind the words.
void name_special_tokens(bin_cursor& file, uint32_t vocabulary, std::vector<std::string>& pieces) {
  const bool is_english = vocabulary == english_vocabulary;
  const uint32_t words = is_english ? 50'256 : 50'257, others = 51'765 + !is_english; // All but words, languages: with 1,501 times.
  if (vocabulary < english_vocabulary || pieces.size() < words)
    file.fail("its words", "there are " + std::to_string(pieces.size()) + " of " + std::to_string(vocabulary) +
                             " tokens, and nothing says what the others are");
  pieces.resize(words);
  pieces.insert(pieces.end(), {"<|endoftext|>", "<|startoftranscript|>"});
  uint32_t wanted = vocabulary - others;
  for (auto rest = languages; wanted > 0 && !rest.empty(); --wanted) {
    const size_t end = std::min(rest.find(' '), rest.size());
    pieces.push_back("<|" + std::string(rest.substr(0, end)) + "|>");
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (wanted > 0) file.fail("n_vocab", "stands for more languages than are known here");
  for (const char* name : {"translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps"})
    pieces.push_back(std::string("<|").append(name).append("|>"));
  for (uint32_t step = 0; pieces.size() < vocabulary; ++step) {
    char name[32];
    std::snprintf(name, sizeof name, "<|%u.%02u|>", step / 50, step % 50 * 2);
    pieces.emplace_back(name);
  }
}

/// The two words that each word is made of, in the order of the words: what byte pairs have merged when all but this merge are done.
std::vector<std::string> merges_of(std::span<const std::string> words) {
  std::unordered_map<std::string_view, uint32_t> ranks;
  for (uint32_t id = 0; id < words.size(); ++id) ranks.emplace(words[id], id);
  std::vector<std::string> merges;
  std::vector<uint32_t> ends; // Of the parts of a word.
  for (uint32_t id = 0; id < words.size(); ++id) {
    const std::string_view word = words[id];
    ends.clear();
    for (uint32_t i = 1; i <= word.size(); ++i) ends.push_back(i);
    while (ends.size() > 2) {
      uint32_t best = id;
      size_t where = 0;
      for (size_t i = 0; i + 1 < ends.size(); ++i) {
        const uint32_t begin = i == 0 ? 0 : ends[i - 1];
        const auto found = ranks.find(word.substr(begin, ends[i + 1] - begin));
        if (found != ranks.end() && found->second < best) best = found->second, where = i;
      }
      if (best == id) break;
      ends.erase(ends.begin() + ptrdiff_t(where));
    }
    if (ends.size() == 2) merges.push_back(spell_bytes(word.substr(0, ends[0])) + " " + spell_bytes(word.substr(ends[0])));
  }
  return merges;
}

vocabulary read_words(bin_cursor& file, uint32_t vocabulary_size) {
  const uint32_t count = file.number("the number of its words", 1, vocabulary_size);
  std::vector<std::string> pieces;
  uint64_t bytes = 0;
  for (uint32_t id = 0; id < count; ++id) {
    pieces.push_back(file.text(file.number("the length of a word", 0, word_bytes_max), "a word"));
    bytes += pieces.back().size();
    if (bytes > words_bytes_max) file.fail("its words", "are too many");
  }
  if (pieces.size() < vocabulary_size) name_special_tokens(file, vocabulary_size, pieces);
  vocabulary words;
  words.kind = tokenizer_kind::byte_pair;
  words.pre_tokenizer = "gpt-2";
  std::vector<std::string> plain; // Up to the first special one.
  for (const auto& piece : pieces) {
    const bool is_special = !between_bars(piece).empty();
    if (!is_special && plain.size() == words.pieces.size()) plain.push_back(piece);
    words.pieces.push_back(is_special ? piece : spell_bytes(piece));
    words.kinds.push_back(is_special ? piece_kind::control : piece_kind::normal);
    if (piece == "<|endoftext|>") words.eos = uint32_t(words.pieces.size()) - 1;
  }
  if (!words.eos) file.fail("its words", "<|endoftext|> is not among them");
  words.end_of_generation = {*words.eos};
  words.merges = merges_of(plain);
  return words;
}

/// What transformers publishes beside the model, and whisper.cpp has in its program.
decoding_defaults usual_decoding(bin_cursor& file, const vocabulary& words, bool is_english) {
  const auto find = [&](std::string_view piece) {
    const auto found = std::ranges::find(words.pieces, piece);
    return found == words.pieces.end() ? std::nullopt : std::optional(uint32_t(found - words.pieces.begin()));
  };
  const auto start = find("<|startoftranscript|>");
  if (!start) file.fail("its words", "<|startoftranscript|> is not among them");
  decoding_defaults usual;
  auto speech = find_speech_tokens(words.pieces, *start);
  usual.rules.end_tokens = words.end_of_generation;
  usual.rules.suppressed = {*start};
  for (const auto& [name, token] : speech.languages) usual.rules.suppressed.push_back(token);
  for (const auto token : {speech.translate, speech.transcribe, find("<|startoflm|>"), speech.previous, speech.no_speech})
    if (token) usual.rules.suppressed.push_back(*token);
  usual.rules.suppressed_first = {*words.eos};
  if (const auto space = find(spell_bytes(" "))) usual.rules.suppressed_first.push_back(*space);
  speech.initial_timestamp_max = 50; // A second.
  if (is_english) {
    speech.languages.clear();
    speech.transcribe = speech.translate = std::nullopt;
  }
  usual.speech = std::move(speech);
  return usual;
}

/// What Hugging Face calls it.
std::string published_name_of(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> parts[] = {
    {"cross_attn_ln.", "encoder_attn_layer_norm."}, {"attn_ln.", "self_attn_layer_norm."}, {"mlp_ln.", "final_layer_norm."},
    {"cross_attn.", "encoder_attn."}, {"attn.", "self_attn."}, {"mlp.0.", "fc1."}, {"mlp.2.", "fc2."},
    {"ln_post.", "layer_norm."}, {"ln.", "layer_norm."}, {"positional_embedding", "embed_positions.weight"},
    {"token_embedding.", "embed_tokens."}, {"query.", "q_proj."}, {"key.", "k_proj."}, {"value.", "v_proj."}, {"out.", "out_proj."}};
  std::string published = "model.";
  const auto take = [&](std::string_view before, std::string_view instead) {
    if (!name.starts_with(before)) return false;
    published += instead;
    name.remove_prefix(before.size());
    return true;
  };
  if (!take("encoder.", "encoder.")) take("decoder.", "decoder.");
  if (take("blocks.", "layers.")) {
    const size_t end = std::min(name.find('.'), name.size() - 1) + 1;
    published += name.substr(0, end);
    name.remove_prefix(end);
  }
  for (const auto& [before, instead] : parts) take(before, instead); // An attention, and its part.
  return published.append(name);
}

} // namespace

struct whisper_bin::contents {
  std::shared_ptr<const input_file> file;
  std::string config;
  std::vector<named_tensor> tensors;
  vocabulary words;
  decoding_defaults decoding;

  explicit contents(const std::filesystem::path& path) : file(std::make_shared<const input_file>(path)) {
    bin_cursor at(*file);
    const sizes of = read_sizes(at);
    words = read_words(at, of.vocabulary);
    decoding = usual_decoding(at, words, of.vocabulary == english_vocabulary);
    while (!at.is_at_end()) read_tensor(at);
    std::ranges::sort(tensors, {}, &named_tensor::name);
    const auto feed_forward = [this, usual = uint64_t(of.width) * 4](const char* side) { // The file does not say it.
      const auto found = std::ranges::find(tensors, std::string("model.") + side + ".layers.0.fc1.weight", &named_tensor::name);
      return found == tensors.end() ? usual : found->tensor.rows;
    };
    config = config_of(of, decoding.speech->start, *words.eos, {feed_forward("encoder"), feed_forward("decoder")});
    for (size_t i = 1; i < tensors.size(); ++i)
      if (tensors[i - 1].name == tensors[i].name) at.fail(tensors[i].name, "comes twice");
  }

  void read_tensor(bin_cursor& at) {
    const uint32_t dimensions = at.number("the dimensions of a tensor", 1, 4);
    const uint32_t name_bytes = at.number("the length of a tensor's name", 1, name_bytes_max);
    const uint32_t type = at.number("a tensor's type", 0, 1 << 16);
    std::vector<uint64_t> shape; // The inner dimension first.
    for (uint32_t i = 0; i < dimensions; ++i) shape.push_back(at.number("a tensor's dimension", 1, 1u << 30));
    named_tensor one;
    one.name = published_name_of(at.text(name_bytes, "a tensor's name"));
    const auto* traits = find_tensor_type(type);
    if (traits == nullptr) at.fail(one.name, why_unsupported(type));
    if (one.name.ends_with(".bias") && shape.size() == 2 && shape[0] == 1) shape.erase(shape.begin()); // Of a convolution.
    uint64_t rows = 1;
    for (size_t i = 1; i < shape.size(); ++i) {
      const auto product = checked_product(rows, shape[i]);
      if (!product) at.fail(one.name, "is too large");
      rows = *product;
    }
    if (shape[0] % traits->block_elements != 0)
      at.fail(one.name, "has rows of " + std::to_string(shape[0]) + " elements, which are no whole blocks");
    const auto bytes = checked_product(rows, shape[0] / traits->block_elements * traits->block_bytes);
    if (!bytes) at.fail(one.name, "is too large");
    one.type_name = traits->name;
    one.tensor = {{}, {}, traits->type, rows, shape[0], file, at.at(), *bytes};
    at.skip(*bytes, one.name);
    tensors.push_back(std::move(one));
  }
};

whisper_bin::whisper_bin(const std::filesystem::path& path) : whisper_bin(std::make_unique<contents>(path)) {}

whisper_bin::whisper_bin(std::unique_ptr<contents> all)
    : hf_source(all->file->path(), std::move(all->config)), file_(all->file), tensors_(std::move(all->tensors)),
      words_(std::move(all->words)), decoding_(std::move(all->decoding)) {}

whisper_bin::~whisper_bin() = default;

source_tensor whisper_bin::tensor(size_t index) const {
  const auto& one = tensors_[index];
  source_tensor result = one.tensor;
  result.name = one.name;
  result.type_name = one.type_name;
  return result;
}

bool is_whisper_bin(const std::filesystem::path& path) {
  const input_file file(path);
  uint32_t kind = 0;
  if (file.size() < sizeof kind) return false;
  file.read(0, std::as_writable_bytes(std::span(&kind, 1)));
  return kind == magic;
}

} // namespace troupe
