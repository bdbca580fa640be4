#include "model/testing/tiny_model.hpp"
#include "model/testing/gguf_builder.hpp"
#include <cmath>
#include <fstream>
#include <stdexcept>
#include <unistd.h>
#include <vector>

namespace troupe::testing {
namespace {

/// Writes one model: keys, vocabulary, tensors.
class tiny_model {
public:
  explicit tiny_model(const tiny_model_options& options) : o_(options), bits_{options.seed} {
    if (is_gpt2()) {
      o_.kv_heads = o_.heads;
      o_.head_dim = o_.width / o_.heads;
    }
  }

  std::string bytes() {
    file_.left_out = o_.without;
    add_parameters();
    if (o_.with_tokenizer) is_llama() ? add_sentencepiece() : add_byte_pairs();
    add_tensors();
    file_.left_out.clear();
    if (o_.also) o_.also(file_);
    return file_.bytes();
  }

private:
  bool is_gpt2() const { return o_.architecture == "gpt2"; }
  bool is_llama() const { return o_.architecture == "llama"; }
  std::string key(const char* name) const { return o_.architecture + "." + name; }

  void add_parameters() {
    file_.add_string("general.architecture", o_.architecture);
    file_.add_string("general.name", "tiny-" + o_.architecture);
    file_.add_u32(key("block_count"), o_.layers);
    file_.add_u32(key("context_length"), o_.context);
    file_.add_u32(key("embedding_length"), o_.width);
    file_.add_u32(key("feed_forward_length"), o_.feed_forward);
    file_.add_u32(key("attention.head_count"), o_.heads);
    file_.add_u32(key("vocab_size"), o_.vocabulary);
    if (is_gpt2()) return file_.add_f32(key("attention.layer_norm_epsilon"), 1e-5f);
    file_.add_u32(key("attention.head_count_kv"), o_.kv_heads);
    file_.add_f32(key("attention.layer_norm_rms_epsilon"), 1e-5f);
    if (o_.head_dim * o_.heads != o_.width) {
      file_.add_u32(key("attention.key_length"), o_.head_dim);
      file_.add_u32(key("attention.value_length"), o_.head_dim);
    }
    file_.add_u32(key("rope.dimension_count"), o_.head_dim);
    file_.add_f32(key("rope.freq_base"), is_llama() ? 10000.0f : 1000000.0f);
  }

  void add_sentencepiece() {
    if (o_.vocabulary < 259) return;
    std::vector<std::string> pieces{"<unk>", "<s>", "</s>"};
    std::vector<int32_t> kinds{2, 3, 3};
    for (int byte = 0; byte < 256; ++byte) {
      char piece[8];
      std::snprintf(piece, sizeof piece, "<0x%02X>", byte);
      pieces.push_back(piece);
      kinds.push_back(6);
    }
    const char* words[] = {"▁",  "e",    "t",  "a",   "o",  "n",    "h",  "s",  "▁t", "▁th", "▁the", "he",
                           "▁a", "▁o",   "on", "▁on", "nc", "▁onc", "ce", "c",  "i",  "in",  "an",   "▁an",
                           "d",  "▁and", "r",  "er",  "▁s", "l",    "ll", "▁w", "w",  "u",   "p",    "▁up"};
    for (const char* word : words) {
      if (pieces.size() < o_.vocabulary) pieces.push_back(word);
    }
    while (pieces.size() < o_.vocabulary) pieces.push_back("▁w" + std::to_string(pieces.size()));
    kinds.resize(pieces.size(), 1);
    std::vector<float> scores(pieces.size());
    for (size_t i = 259; i < pieces.size(); ++i) scores[i] = -float(i - 259);
    file_.add_string("tokenizer.ggml.model", "llama");
    file_.add_strings("tokenizer.ggml.tokens", pieces);
    file_.add_floats("tokenizer.ggml.scores", scores);
    file_.add_ints("tokenizer.ggml.token_type", kinds);
    file_.add_u32("tokenizer.ggml.bos_token_id", 1);
    file_.add_u32("tokenizer.ggml.eos_token_id", 2);
    file_.add_u32("tokenizer.ggml.unknown_token_id", 0);
    file_.add_bool("tokenizer.ggml.add_bos_token", true);
    file_.add_bool("tokenizer.ggml.add_eos_token", false);
  }

  /// The characters that GPT-2 writes bytes as: printable Latin-1 as itself, the rest from U+0100 on.
  static std::vector<std::string> byte_symbols() {
    std::vector<std::string> printable, others;
    uint32_t next = 0x100;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const bool is_printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte != 0xad);
      const uint32_t code = is_printable ? byte : next++;
      std::string symbol;
      if (code >= 0x80) symbol += char(0xc0 | code >> 6);
      symbol += char(code < 0x80 ? code : 0x80 | (code & 0x3f));
      (is_printable ? printable : others).push_back(symbol);
    }
    printable.insert(printable.end(), others.begin(), others.end());
    return printable;
  }

  void add_byte_pairs() {
    if (o_.vocabulary < 257) return;
    std::vector<std::string> pieces = byte_symbols(), merges;
    const std::pair<const char*, const char*> pairs[] = {
        {"Ġ", "t"}, {"h", "e"}, {"Ġt", "he"}, {"Ġ", "a"},   {"i", "n"}, {"o", "n"}, {"r", "e"},
        {"e", "r"}, {"Ġ", "s"}, {"n", "d"},   {"Ġa", "nd"}, {"Ġ", "w"}, {"c", "e"}, {"on", "ce"},
        {"Ġ", "o"}, {"l", "l"}, {"Ġ", "Ġ"},   {"e", "n"},   {"u", "p"}, {"a", "t"}, {"Ġs", "at"}};
    for (const auto& [left, right] : pairs) {
      if (pieces.size() + 1 >= o_.vocabulary) break;
      merges.push_back(std::string(left) + " " + right);
      pieces.push_back(std::string(left) + right);
    }
    std::vector<int32_t> kinds(pieces.size(), 1);
    while (pieces.size() + 1 < o_.vocabulary) {
      pieces.push_back("[w" + std::to_string(pieces.size()) + "]");
      kinds.push_back(5);
    }
    pieces.push_back("<|endoftext|>");
    kinds.push_back(3);
    file_.add_string("tokenizer.ggml.model", "gpt2");
    file_.add_string("tokenizer.ggml.pre", is_gpt2() ? "gpt-2" : "qwen2");
    file_.add_strings("tokenizer.ggml.tokens", pieces);
    file_.add_ints("tokenizer.ggml.token_type", kinds);
    file_.add_strings("tokenizer.ggml.merges", merges);
    file_.add_u32("tokenizer.ggml.bos_token_id", uint32_t(pieces.size() - 1));
    file_.add_u32("tokenizer.ggml.eos_token_id", uint32_t(pieces.size() - 1));
    file_.add_bool("tokenizer.ggml.add_bos_token", false);
  }

  void add_matrix(const std::string& name, uint64_t rows, uint64_t columns, float deviation) {
    const bool fits = columns % traits_of(o_.type).block_elements == 0;
    const tensor_type type = fits ? o_.type : tensor_type::f32;
    file_.add_tensor(name, {columns, rows}, uint32_t(type),
                     random_elements(type, rows * columns, deviation, bits_));
  }

  /// Entries about `centre`; norms are about 1, biases about 0.
  void add_vector(const std::string& name, uint64_t length, float centre) {
    std::string data;
    for (uint64_t i = 0; i < length; ++i) data += bytes_of(centre + bits_.uniform(-0.2f, 0.2f));
    file_.add_tensor(name, {length}, uint32_t(tensor_type::f32), data);
  }

  void add_norm(const std::string& name, uint64_t length) {
    add_vector(name + ".weight", length, 1);
    if (is_gpt2()) add_vector(name + ".bias", length, 0);
  }

  /// Outputs are about as large as inputs.
  void add_projection(const std::string& name, uint64_t rows, uint64_t columns, bool with_bias) {
    add_matrix(name + ".weight", rows, columns, 1 / std::sqrt(float(columns)));
    if (with_bias || o_.with_biases || is_gpt2()) add_vector(name + ".bias", rows, 0);
  }

  void add_embedding() {
    const float deviation = o_.tied ? 3 / std::sqrt(float(o_.width)) : 1;
    const bool fits = o_.width % traits_of(o_.type).block_elements == 0;
    const tensor_type type = fits ? o_.type : tensor_type::f32;
    std::string data;
    for (uint32_t id = 0; id < o_.vocabulary; ++id) {
      const auto value = o_.poisoned_token == id ? std::optional(o_.poison) : std::nullopt;
      data += random_elements(type, o_.width, deviation, bits_, value);
    }
    file_.add_tensor("token_embd.weight", {o_.width, o_.vocabulary}, uint32_t(type), data);
  }

  void add_layer(const std::string& block) {
    const uint32_t query_rows = o_.heads * o_.head_dim, key_rows = o_.kv_heads * o_.head_dim;
    const bool is_qwen2 = o_.architecture == "qwen2";
    add_norm(block + "attn_norm", o_.width);
    if (is_gpt2()) {
      add_projection(block + "attn_qkv", 3 * query_rows, o_.width, true);
    } else {
      add_projection(block + "attn_q", query_rows, o_.width, is_qwen2);
      add_projection(block + "attn_k", key_rows, o_.width, is_qwen2);
      add_projection(block + "attn_v", key_rows, o_.width, is_qwen2);
    }
    if (o_.architecture == "qwen3") {
      add_norm(block + "attn_q_norm", o_.head_dim);
      add_norm(block + "attn_k_norm", o_.head_dim);
    }
    add_projection(block + "attn_output", o_.width, query_rows, false);
    add_norm(block + "ffn_norm", o_.width);
    if (!is_gpt2()) add_projection(block + "ffn_gate", o_.feed_forward, o_.width, false);
    add_projection(block + "ffn_up", o_.feed_forward, o_.width, false);
    add_projection(block + "ffn_down", o_.width, o_.feed_forward, false);
  }

  void add_tensors() {
    if (o_.tied && o_.poisoned_token)
      throw std::logic_error("a poisoned token needs an output matrix of its own");
    add_embedding();
    if (is_gpt2()) add_matrix("position_embd.weight", o_.context, o_.width, 0.5f);
    for (uint32_t i = 0; i < o_.layers; ++i) add_layer("blk." + std::to_string(i) + ".");
    add_norm("output_norm", o_.width);
    if (!o_.tied) add_matrix("output.weight", o_.vocabulary, o_.width, 3 / std::sqrt(float(o_.width)));
  }

  tiny_model_options o_;
  raw_bits bits_;
  gguf_builder file_;
};

/// Made at the first use, removed when the process ends.
class temporary_directory {
public:
  temporary_directory() {
    std::string name = (std::filesystem::temp_directory_path() / "troupe-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make the directory " + name);
    path_ = name;
  }
  ~temporary_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path next(const std::string& suffix) {
    return path_ / ("file-" + std::to_string(files_++) + suffix);
  }

private:
  std::filesystem::path path_;
  uint64_t files_ = 0;
};

} // namespace

std::string tiny_model_bytes(const tiny_model_options& options) { return tiny_model(options).bytes(); }

std::filesystem::path temporary_path(const std::string& suffix) {
  static temporary_directory directory;
  return directory.next(suffix);
}

std::filesystem::path temporary_folder() {
  const auto path = temporary_path();
  std::filesystem::create_directory(path);
  return path;
}

std::filesystem::path write_temporary(const std::string& bytes, const std::string& suffix) {
  const auto path = temporary_path(suffix);
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path.string());
  return path;
}

std::filesystem::path write_tiny_model(const tiny_model_options& options) {
  return write_temporary(tiny_model_bytes(options), ".gguf");
}

} // namespace troupe::testing
