#include "model/testing/tiny_folder.hpp"
#include "model/formats/gguf.hpp"
#include "model/formats/gguf_vocabulary.hpp"
#include "model/formats/safetensors.hpp"
#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace troupe::testing {
namespace {

using nlohmann::ordered_json;

/// A tensor as the folder will hold it.
struct folder_tensor {
  safetensors_plan plan;
  std::string bytes;
};

/// Turns a GGUF file of a tiny model into a folder.
class tiny_folder {
public:
  tiny_folder(const gguf& file, std::filesystem::path folder)
      : file_(file), architecture_(file.get_string("general.architecture")), folder_(std::move(folder)) {
    std::filesystem::create_directory(folder_);
  }

  void write(uint32_t shards) {
    for (const auto& tensor : file_.tensors()) add_tensor(tensor);
    write_tensors(shards);
    write_json("config.json", config());
    write_tokenizer();
  }

private:
  bool is_gpt2() const { return architecture_ == "gpt2"; }
  std::string key(const char* name) const { return architecture_ + "." + name; }

  /// The part of a name that says which tensor of a layer it is.
  static std::string name_in_layer(const std::string& name, bool is_gpt2) {
    static const std::vector<std::pair<std::string, std::string>> common{
        {"attn_norm", "input_layernorm"},    {"attn_q", "self_attn.q_proj"},
        {"attn_k", "self_attn.k_proj"},      {"attn_v", "self_attn.v_proj"},
        {"attn_output", "self_attn.o_proj"}, {"attn_q_norm", "self_attn.q_norm"},
        {"attn_k_norm", "self_attn.k_norm"}, {"ffn_norm", "post_attention_layernorm"},
        {"ffn_gate", "mlp.gate_proj"},       {"ffn_up", "mlp.up_proj"},
        {"ffn_down", "mlp.down_proj"}};
    static const std::vector<std::pair<std::string, std::string>> of_gpt2{
        {"attn_norm", "ln_1"}, {"attn_qkv", "attn.c_attn"}, {"attn_output", "attn.c_proj"},
        {"ffn_norm", "ln_2"},  {"ffn_up", "mlp.c_fc"},      {"ffn_down", "mlp.c_proj"}};
    for (const auto& [gguf_name, other] : is_gpt2 ? of_gpt2 : common) {
      if (gguf_name == name) return other;
    }
    throw std::logic_error("no name for " + name);
  }

  std::string name_of(const std::string& name) const {
    const std::string base = is_gpt2() ? "transformer." : "model.";
    if (name == "token_embd.weight") return base + (is_gpt2() ? "wte.weight" : "embed_tokens.weight");
    if (name == "position_embd.weight") return base + "wpe.weight";
    if (name == "output.weight") return "lm_head.weight";
    const size_t ending = name.rfind('.');
    if (name.starts_with("output_norm.")) return base + (is_gpt2() ? "ln_f" : "norm") + name.substr(ending);
    const size_t block = name.find('.', 4); // "blk.<number>."
    return base + (is_gpt2() ? "h." : "layers.") + name.substr(4, block - 3) +
           name_in_layer(name.substr(block + 1, ending - block - 1), is_gpt2()) + name.substr(ending);
  }

  void add_tensor(const gguf_tensor& tensor) {
    const std::string name(tensor.name);
    const uint32_t element = traits_of(tensor.type).block_bytes;
    folder_tensor out{{name_of(name), type_of(tensor.type), {tensor.rows, tensor.columns}},
                      std::string(tensor.bytes, '\0')};
    file_.file()->read(tensor.offset, std::as_writable_bytes(std::span(out.bytes)));
    if (tensor.rows == 1) out.plan.shape = {tensor.columns};
    const auto ends = [&](std::string_view ending) { return name.ends_with(ending); };
    if (architecture_ == "llama" && (ends("attn_q.weight") || ends("attn_k.weight"))) {
      out.bytes = halves(out.bytes, tensor.bytes / tensor.rows);
    } else if (architecture_ == "llama" && (ends("attn_q.bias") || ends("attn_k.bias"))) {
      out.bytes = halves(out.bytes, element);
    } else if (is_gpt2() && name.starts_with("blk.") && tensor.rows > 1) {
      out.bytes = transposed(out.bytes, tensor.rows, tensor.columns, element);
      out.plan.shape = {tensor.columns, tensor.rows};
    }
    tensors_.push_back(std::move(out));
  }

  static safetensors_type type_of(tensor_type type) {
    switch (type) {
    case tensor_type::f32:
      return safetensors_type::float32;
    case tensor_type::f16:
      return safetensors_type::float16;
    case tensor_type::bf16:
      return safetensors_type::bfloat16;
    default:
      throw std::logic_error("a folder holds no quantised tensors");
    }
  }

  /// Rows of a head from pairs (2i, 2i+1) to pairs (i, i + size/2).
  std::string halves(const std::string& bytes, size_t row_bytes) const {
    const uint32_t head = uint32_t(file_.get_unsigned(key("rope.dimension_count")));
    std::string out(bytes.size(), '\0');
    for (size_t row = 0; row < bytes.size() / row_bytes; ++row) {
      const size_t in_head = row % head,
                   from = row - in_head + (in_head % (head / 2)) * 2 + in_head / (head / 2);
      std::copy_n(bytes.begin() + ptrdiff_t(from * row_bytes), row_bytes,
                  out.begin() + ptrdiff_t(row * row_bytes));
    }
    return out;
  }

  static std::string transposed(const std::string& bytes, size_t rows, size_t columns, size_t element) {
    std::string out(bytes.size(), '\0');
    for (size_t row = 0; row < rows; ++row) {
      for (size_t column = 0; column < columns; ++column) {
        std::copy_n(bytes.begin() + ptrdiff_t((row * columns + column) * element), element,
                    out.begin() + ptrdiff_t((column * rows + row) * element));
      }
    }
    return out;
  }

  void write_tensors(uint32_t shards) {
    ordered_json index;
    for (uint32_t shard = 0; shard < shards; ++shard) {
      const std::string name =
          shards == 1 ? "model.safetensors" : "model-" + std::to_string(shard + 1) + ".safetensors";
      std::vector<safetensors_plan> plan;
      std::vector<const folder_tensor*> chosen;
      for (size_t i = shard; i < tensors_.size(); i += shards) {
        chosen.push_back(&tensors_[i]);
        plan.push_back(tensors_[i].plan);
        index["weight_map"][tensors_[i].plan.name] = name;
      }
      safetensors_writer writer(folder_ / name, plan);
      for (const auto* tensor : chosen) writer.write(std::as_bytes(std::span(tensor->bytes)));
      writer.finish();
    }
    if (shards > 1) write_json("model.safetensors.index.json", index);
  }

  bool has_tensor(const std::string& name) const {
    return std::any_of(tensors_.begin(), tensors_.end(),
                       [&](const auto& tensor) { return tensor.plan.name == name; });
  }

  ordered_json config() const {
    const auto number = [&](const char* name) { return file_.get_unsigned(key(name)); };
    const uint64_t vocabulary = file_.find_tensor("token_embd.weight")->rows;
    ordered_json config{{"model_type", architecture_}, {"vocab_size", vocabulary}};
    config["tie_word_embeddings"] = !has_tensor("lm_head.weight");
    if (is_gpt2()) {
      config["architectures"] = {"GPT2LMHeadModel"};
      config["activation_function"] = "gelu_new";
      config["n_embd"] = number("embedding_length");
      config["n_layer"] = number("block_count");
      config["n_head"] = number("attention.head_count");
      config["n_positions"] = number("context_length");
      config["n_inner"] = number("feed_forward_length");
      config["layer_norm_epsilon"] = file_.get_number(key("attention.layer_norm_epsilon"));
      return config;
    }
    std::string model_class = architecture_ + "ForCausalLM";
    model_class[0] = char(std::toupper(model_class[0]));
    config["architectures"] = {model_class};
    config["hidden_act"] = "silu";
    config["hidden_size"] = number("embedding_length");
    config["intermediate_size"] = number("feed_forward_length");
    config["num_hidden_layers"] = number("block_count");
    config["num_attention_heads"] = number("attention.head_count");
    config["num_key_value_heads"] = number("attention.head_count_kv");
    config["head_dim"] = number("rope.dimension_count");
    config["max_position_embeddings"] = number("context_length");
    config["rms_norm_eps"] = file_.get_number(key("attention.layer_norm_rms_epsilon"));
    config["rope_theta"] = file_.get_number(key("rope.freq_base"));
    config["rope_scaling"] = nullptr;
    config["attention_bias"] = has_tensor("model.layers.0.self_attn.o_proj.bias");
    config["mlp_bias"] = has_tensor("model.layers.0.mlp.up_proj.bias");
    return config;
  }

  void write_tokenizer() {
    const auto words = read_vocabulary(file_, uint32_t(file_.find_tensor("token_embd.weight")->rows));
    if (words.kind == tokenizer_kind::none) return;
    const bool is_byte_level = words.kind == tokenizer_kind::byte_pair;
    ordered_json vocab, added = ordered_json::array();
    for (uint32_t id = 0; id < words.pieces.size(); ++id) {
      if (words.kinds[id] == piece_kind::unused) continue;
      vocab[words.pieces[id]] = id;
      const bool is_special =
          words.kinds[id] == piece_kind::control || words.kinds[id] == piece_kind::unknown;
      if (is_special) added.push_back(added_token(id, words.pieces[id]));
    }
    ordered_json model{
        {"type", "BPE"}, {"vocab", vocab}, {"byte_fallback", !is_byte_level}, {"fuse_unk", !is_byte_level}};
    model["merges"] = is_byte_level ? words.merges : merges_of(words);
    if (words.unknown) model["unk_token"] = words.pieces[*words.unknown];
    ordered_json tokenizer{{"version", "1.0"}, {"added_tokens", added}, {"model", model}};
    (is_byte_level ? add_byte_level(tokenizer) : add_marks(tokenizer));
    if (words.add_bos) add_template(tokenizer, words);
    write_json("tokenizer.json", tokenizer);
    write_json("tokenizer_config.json",
               {{"bos_token", words.pieces[*words.bos]}, {"eos_token", words.pieces[*words.eos]}});
    write_json("generation_config.json", {{"eos_token_id", *words.eos}});
  }

  static ordered_json added_token(uint32_t id, const std::string& text) {
    return {{"id", id},        {"content", text},     {"single_word", false}, {"lstrip", false},
            {"rstrip", false}, {"normalized", false}, {"special", true}};
  }

  void add_byte_level(ordered_json& tokenizer) const {
    const ordered_json byte_level{
        {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", is_gpt2()}};
    tokenizer["pre_tokenizer"] = byte_level;
    tokenizer["decoder"] = byte_level;
    if (is_gpt2()) return;
    tokenizer["normalizer"] = {{"type", "NFC"}};
    const char* regex =
        R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
        R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
    const ordered_json split{
        {"type", "Split"}, {"pattern", {{"Regex", regex}}}, {"behavior", "Isolated"}, {"invert", false}};
    tokenizer["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {split, byte_level}}};
  }

  static void add_marks(ordered_json& tokenizer) {
    const ordered_json prepend{{"type", "Prepend"}, {"prepend", "▁"}},
        replace{{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}},
        back{{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}},
        strip{{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}};
    tokenizer["normalizer"] = {{"type", "Sequence"}, {"normalizers", {prepend, replace}}};
    tokenizer["pre_tokenizer"] = nullptr;
    tokenizer["decoder"] = {{"type", "Sequence"},
                            {"decoders", {back, {{"type", "ByteFallback"}}, {{"type", "Fuse"}}, strip}}};
  }

  static void add_template(ordered_json& tokenizer, const vocabulary& words) {
    const std::string& bos = words.pieces[*words.bos];
    const ordered_json special{{"SpecialToken", {{"id", bos}, {"type_id", 0}}}},
        text{{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
    ordered_json table;
    table[bos] = {{"id", bos}, {"ids", {*words.bos}}, {"tokens", {bos}}};
    tokenizer["post_processor"] = {
        {"type", "TemplateProcessing"}, {"single", {special, text}}, {"special_tokens", table}};
  }

  /// Scores fall with the id: every way to put a piece together from two others, in the order of ids.
  static std::vector<std::string> merges_of(const vocabulary& words) {
    const auto is_piece = [&](const std::string& text) {
      return std::find(words.pieces.begin(), words.pieces.end(), text) != words.pieces.end();
    };
    std::vector<std::string> merges;
    for (uint32_t id = 0; id < words.pieces.size(); ++id) {
      if (words.kinds[id] != piece_kind::normal) continue;
      const std::string& piece = words.pieces[id];
      for (size_t cut = 1; cut < piece.size(); ++cut) {
        const std::string left = piece.substr(0, cut), right = piece.substr(cut);
        if (is_piece(left) && is_piece(right)) merges.push_back(left + " " + right);
      }
    }
    return merges;
  }

  void write_json(const std::string& name, const ordered_json& content) const {
    std::ofstream file(folder_ / name);
    file << content.dump(1) << "\n";
    file.close();
    if (!file) throw std::runtime_error("cannot write " + (folder_ / name).string());
  }

  const gguf& file_;
  std::string architecture_;
  std::filesystem::path folder_;
  std::vector<folder_tensor> tensors_;
};

} // namespace

std::filesystem::path write_tiny_folder(const tiny_model_options& options, uint32_t shards) {
  const gguf file(std::make_shared<const input_file>(write_tiny_model(options)));
  const auto folder = temporary_path();
  tiny_folder(file, folder).write(shards);
  return folder;
}

} // namespace troupe::testing
