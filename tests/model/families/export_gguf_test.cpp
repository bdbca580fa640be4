// Goal: an exported file is the same model: logits and token ids, whatever it came from. Method: tiny folders of every family, whose
// weights are also there as a GGUF file; new models; published folders.
#include "model/error.hpp"
#include "model/families/export_gguf.hpp"
#include "model/families/new_models.hpp"
#include "model/families/save_model.hpp"
#include "model/formats/gguf.hpp"
#include "model/formats/gguf_vocabulary.hpp"
#include "model/formats/hf_vocabulary.hpp"
#include "model/kernels/dequantize.hpp"
#include "model/reference.hpp"
#include "model/testing/gguf_builder.hpp"
#include "model/testing/tiny_folder.hpp"
#include "model/tokenizer/make_tokenizer.hpp"
#include "model/formats/gguf_content.hpp"
#include "support/catch.hpp"
#include "support/references.hpp"
#include <cmath>
#include <fstream>

using namespace troupe;
using namespace troupe::testing;

namespace {

std::filesystem::path exported(const model_file& model, tensor_type type = tensor_type::f32) {
  const auto path = temporary_path(".gguf");
  export_gguf(path, model, type);
  return path;
}

gguf read(const std::filesystem::path& path) { return gguf(std::make_shared<const input_file>(path)); }

std::vector<float> logits_of(const std::shared_ptr<const model_file>& model) {
  std::vector<uint32_t> tokens;
  for (uint32_t i = 0; i < 20; ++i) tokens.push_back((i * 37 + 5) % model->spec.vocabulary);
  return reference_model{make_parts(model, {})}.forward(tokens);
}

/// Root mean square of the difference, by that of the first.
double difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double off = 0, all = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    off += std::pow(double(a[i]) - b[i], 2);
    all += std::pow(double(a[i]), 2);
  }
  return std::sqrt(off / all);
}

nlohmann::json read_json(const std::filesystem::path& path) {
  std::ifstream file(path);
  return nlohmann::json::parse(file);
}

std::vector<std::string> recorded_texts(const nlohmann::json& tokenizer) {
  std::vector<std::string> texts_recorded;
  for (const auto& example : tokenizer.at("encode")) texts_recorded.push_back(example.at("text"));
  REQUIRE(texts_recorded.size() >= 100);
  return texts_recorded;
}

void change_json(const std::filesystem::path& path, const std::function<void(nlohmann::json&)>& change) {
  auto content = read_json(path);
  change(content);
  std::ofstream(path) << content;
}

const char* texts[] = {"",
                       "the and all",
                       " Once upon  a time\n\n there was\t a",
                       "don't I'LL 1234567 3.14",
                       "Größe 漢字 \xF0\x9F\x99\x82 naïve",
                       "<s>in</s> <|endoftext|>x [PAD7] <0x41>",
                       "\xff\xfe damaged",
                       "   three spaces"};

void require_same_ids(const vocabulary& a, const vocabulary& b, const std::vector<std::string>& more = {}) {
  const auto one = make_tokenizer(a), other = make_tokenizer(b);
  std::vector<std::string> all(std::begin(texts), std::end(texts));
  all.insert(all.end(), more.begin(), more.end());
  for (const auto& text : all) {
    INFO(text);
    for (const auto special : {special_tokens::as_file, special_tokens::in_text, special_tokens::never})
      CHECK(one->encode(text, special) == other->encode(text, special));
  }
  // A GGUF file's reader also takes the pieces that are called like ends.
  CHECK(std::includes(b.end_of_generation.begin(), b.end_of_generation.end(), a.end_of_generation.begin(),
                      a.end_of_generation.end()));
  CHECK(a.chat_template == b.chat_template);
  for (uint32_t id = 0; id < a.pieces.size(); ++id) CHECK(one->token_bytes(id, true) == other->token_bytes(id, true));
}

std::string error_of(const model_file& model, tensor_type type = tensor_type::f32) {
  const auto path = temporary_path(".gguf");
  try {
    export_gguf(path, model, type);
  } catch (const input_error& error) {
    CHECK_FALSE(std::filesystem::exists(path));
    return error.what();
  }
  return "";
}

} // namespace

TEST_CASE("a folder that is exported is the GGUF file of the same weights", "[export]") {
  for (const char* family : {"llama", "qwen2", "qwen3", "gpt2"})
    for (const bool more : {false, true}) DYNAMIC_SECTION(family << (more ? ", tied, with biases" : "")) {
      const tiny_model_options options{
          .architecture = family, .tied = more, .with_biases = more && family == std::string("llama")};
      const auto folder = open_model(write_tiny_folder(options));
      const auto path = exported(*folder);
      const auto again = open_model(path);
      const gguf file = read(path), wanted = read(write_tiny_model(options));
      REQUIRE(file.tensors().size() == wanted.tensors().size());
      for (size_t i = 0; i < file.tensors().size(); ++i) {
        const auto &one = file.tensors()[i], &other = wanted.tensors()[i];
        INFO(one.name);
        CHECK(one.name == other.name);
        CHECK(one.rows == other.rows);
        CHECK(one.columns == other.columns);
        CHECK(content(file, one) == content(wanted, other));
      }
      for (const auto& entry : wanted.entries()) {
        // The order of pieces is the same, but what GGUF's reader takes for granted need not be said again.
        INFO(entry.key);
        const bool is_optional = entry.key == "tokenizer.ggml.scores" || entry.key == "general.name";
        const auto* found = file.find(entry.key);
        REQUIRE(found != nullptr);
        if (const auto* number = std::get_if<uint64_t>(&entry.value)) CHECK(std::get<uint64_t>(found->value) == *number);
        if (const auto* number = std::get_if<double>(&entry.value)) CHECK(std::get<double>(found->value) == *number);
        if (const auto* text = std::get_if<std::string_view>(&entry.value); text && !is_optional)
          CHECK(std::get<std::string_view>(found->value) == *text);
        if (const auto* array = std::get_if<gguf_array>(&entry.value)) CHECK(std::get<gguf_array>(found->value).count == array->count);
      }
      // Heads in the other order: the products of a query and a key are summed in another order.
      if (family == std::string("llama")) {
        CHECK(difference(logits_of(folder), logits_of(again)) < 1e-6);
      } else {
        CHECK(logits_of(folder) == logits_of(again));
      }
      require_same_ids(folder->words, again->words);
    }
}

TEST_CASE("a GGUF file that is exported is the same again", "[export]") {
  for (const char* family : {"llama", "qwen2", "qwen3", "gpt2"}) DYNAMIC_SECTION(family) {
    const auto model = open_model(write_tiny_model({.architecture = family}));
    const auto again = open_model(exported(*model));
    CHECK(logits_of(model) == logits_of(again));
    CHECK(model->words.scores == again->words.scores);
    CHECK(model->words.kinds == again->words.kinds);
    require_same_ids(model->words, again->words);
    const auto halves = open_model(write_tiny_model({.architecture = family, .type = tensor_type::f16}));
    CHECK(logits_of(halves) == logits_of(open_model(exported(*halves))));
    CHECK(logits_of(halves) == logits_of(open_model(exported(*halves, tensor_type::f16))));
  }
}

TEST_CASE("a new model can be exported, and after it was saved gives the same file", "[export]") {
  for (const auto& family : new_families()) DYNAMIC_SECTION(family) {
    const auto model = new_model(new_config(family).dump(), new_words(), 5);
    const auto again = open_model(exported(*model));
    CHECK(difference(logits_of(model), logits_of(again)) < 1e-6);
    require_same_ids(model->words, again->words);
    const auto folder = temporary_folder();
    save_folder(folder, *model, values_of(*model));
    const auto saved = open_model(folder);
    REQUIRE(saved->words.kind == tokenizer_kind::character_pair);
    const auto twice = open_model(exported(*saved));
    CHECK(logits_of(again) == logits_of(twice));
    require_same_ids(model->words, twice->words);
  }
}

TEST_CASE("matrices have the type that is asked for, and logits follow", "[export]") {
  for (const char* family : {"llama", "qwen2", "qwen3", "gpt2"}) DYNAMIC_SECTION(family) {
    const auto model = open_model(write_tiny_folder({.architecture = family, .layers = 1, .feed_forward = 100}));
    const auto wanted = logits_of(model);
    const auto halves = exported(*model, tensor_type::f16), bytes = exported(*model, tensor_type::q8_0);
    CHECK(difference(wanted, logits_of(open_model(halves))) < 2e-3);
    CHECK(difference(wanted, logits_of(open_model(bytes))) < 2.5e-2);
    const gguf file = read(bytes);
    CHECK(file.get_unsigned("general.file_type") == 7);
    CHECK(file.find_tensor("blk.0.ffn_up.weight")->type == tensor_type::q8_0);
    CHECK(file.find_tensor("blk.0.ffn_down.weight")->type == tensor_type::f32); // Rows of 100.
    CHECK(file.find_tensor("blk.0.attn_norm.weight")->type == tensor_type::f32);
    CHECK(file.find_tensor("token_embd.weight")->type == tensor_type::q8_0);
    const gguf half = read(halves);
    CHECK(half.get_unsigned("general.file_type") == 1);
    CHECK(half.find_tensor("blk.0.ffn_down.weight")->type == tensor_type::f16);
    if (family != std::string("gpt2")) continue;
    CHECK(half.find_tensor("position_embd.weight")->type == tensor_type::f32);
    CHECK(half.find_tensor("blk.0.attn_qkv.bias")->type == tensor_type::f32);
  }
}

TEST_CASE("scaled rotary positions are exported", "[export]") {
  const auto with = [](const char* family, const nlohmann::json& scaling) {
    const auto folder = write_tiny_folder({.architecture = family});
    change_json(folder / "config.json", [&](auto& config) { config["rope_scaling"] = scaling; });
    return open_model(folder);
  };
  const nlohmann::json llama3{{"rope_type", "llama3"},       {"factor", 8.0},
                              {"low_freq_factor", 1.0},      {"high_freq_factor", 4.0},
                              {"original_max_position_embeddings", 32}};
  const nlohmann::json yarn{{"rope_type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 32}, {"attention_factor", 1.5}};
  for (const auto& model : {with("llama", {{"type", "linear"}, {"factor", 2.5}}), with("llama", llama3), with("qwen2", yarn)}) {
    const auto again = open_model(exported(*model));
    CHECK(difference(logits_of(model), logits_of(again)) < 1e-6);
    const auto &rope = model->spec.layers[0].attention.rope, &other = again->spec.layers[0].attention.rope;
    CHECK(rope.factors == other.factors);
    CHECK(rope.scaling_factor == other.scaling_factor);
    REQUIRE(rope.yarn.has_value() == other.yarn.has_value());
    if (rope.yarn) {
      CHECK(other.yarn->factor == 4);
      CHECK(other.yarn->original_context == 32);
      CHECK(other.yarn->magnitude == Approx(1.5));
    }
    // From the exported file once more: it has the factors as a tensor.
    CHECK(logits_of(again) == logits_of(open_model(exported(*again))));
  }
  const auto plain = with("llama", nullptr), scaled = with("llama", llama3);
  CHECK(difference(logits_of(plain), logits_of(scaled)) > 1e-3);
  auto untruncated = yarn;
  untruncated["truncate"] = false;
  CHECK_THAT(error_of(*with("llama", untruncated)), ContainsSubstring("no YaRN whose range is not bounded by whole pairs"));
  CHECK_THAT(error_of(*with("qwen2", llama3)), ContainsSubstring("a factor for each pair are known in llama's GGUF files only"));
}

TEST_CASE("what cannot be exported is refused, and no file appears", "[export]") {
  const auto folder = [](const char* family, const std::function<void(nlohmann::json&)>& change) {
    const auto path = write_tiny_folder({.architecture = family});
    change_json(path / "tokenizer.json", change);
    return open_model(path);
  };
  const auto model = open_model(write_tiny_folder());
  CHECK_THAT(error_of(*model, tensor_type::q4_0), ContainsSubstring("tensors of the type Q4_0 cannot be written; wanted F32, F16 or Q8_0"));
  CHECK(error_of(*model).empty());
  // The merges of one piece with others between them.
  CHECK_THAT(error_of(*folder("llama", [](auto& tokenizer) {
               auto& merges = tokenizer["model"]["merges"]; // "▁t h e" has two ways.
               const auto found = std::find(merges.begin(), merges.end(), "▁th e");
               REQUIRE(found != merges.end());
               merges.erase(found);
               merges.push_back("▁th e");
             })),
             ContainsSubstring("in an order that no scores have"));
  // A piece that only scores would give.
  CHECK_THAT(error_of(*folder("llama", [](auto& tokenizer) { tokenizer["model"]["merges"].erase(0); })),
             ContainsSubstring("in an order that no scores have"));
  CHECK_THAT(error_of(*folder("llama",
                              [](auto& tokenizer) {
                                tokenizer["normalizer"] = nullptr;
                                tokenizer["pre_tokenizer"] = {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "first"}, {"split", false}};
                              })),
             ContainsSubstring("GGUF files know no space that is put before a text only where"));
  CHECK_THAT(error_of(*folder("qwen2", [](auto& tokenizer) { tokenizer["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = R"(\s+|\S+)"; })),
             ContainsSubstring("no name is known here for the patterns"));
  CHECK_THAT(error_of(*folder("gpt2", [](auto& tokenizer) { tokenizer["pre_tokenizer"]["add_prefix_space"] = true; })),
             ContainsSubstring("no space before a text in a byte-level vocabulary"));
  auto words = new_words();
  words.kind = tokenizer_kind::unigram;
  CHECK_THAT(error_of(*new_model(new_config("llama").dump(), words, 1)), ContainsSubstring("a unigram vocabulary cannot be written"));
  const auto poisoned = open_model(write_tiny_model({.poisoned_token = 7}));
  CHECK_THAT(error_of(*poisoned, tensor_type::q8_0), ContainsSubstring("tensor \"token_embd.weight\" has values that are not finite"));
  CHECK_THROWS_WITH(export_gguf("/none/x.gguf", *model, tensor_type::f32), ContainsSubstring("/none/x.gguf: cannot create the file"));
}

TEST_CASE("a model without a vocabulary is exported without one", "[export]") {
  const auto model = new_model(new_config("llama").dump(), {}, 1);
  const auto path = exported(*model);
  CHECK(open_model(path)->words.kind == tokenizer_kind::none);
  CHECK(read(path).get_string("tokenizer.ggml.model") == "no_vocab");
  CHECK(read(path).get_unsigned("llama.vocab_size") == 300);
}

TEST_CASE("published folders that are exported give the same logits and ids", "[export][conformance]") {
  const auto folder = references() / "hf";
  if (!std::filesystem::exists(folder)) TROUPE_SKIP("no " + folder.string());
  for (const auto& family : new_families()) DYNAMIC_SECTION(family) {
    const auto model = open_model(folder / family);
    const auto again = open_model(exported(*model));
    const auto wanted = logits_of(model);
    if (family == "llama") {
      CHECK(difference(wanted, logits_of(again)) < 1e-6);
    } else {
      CHECK(wanted == logits_of(again));
    }
    // Weights and activations are both rounded to 8 bits.
    CHECK(difference(wanted, logits_of(open_model(exported(*model, tensor_type::q8_0)))) < 5e-2);
    const auto strings = recorded_texts(read_json(folder / family / "golden.json").at("tokenizer"));
    auto words = model->words;
    CHECK(again->words.rules.empty() == (again->words.pre_tokenizer != "qwen2")); // GGUF files say it by that name alone.
    words.rules = again->words.rules;
    require_same_ids(words, again->words, strings);
  }
}

TEST_CASE("a vocabulary in llama 3's style is exported with the name of its pre-tokenizer", "[export][conformance]") {
  const auto folder = references() / "tokenizers" / "llama3_bpe";
  if (!std::filesystem::exists(folder)) TROUPE_SKIP("no " + folder.string());
  const auto tokenizer = read_json(folder / "tokenizer.json");
  uint32_t rows = 0;
  for (const auto& entry : tokenizer.at("model").at("vocab").items()) rows = std::max(rows, entry.value().get<uint32_t>() + 1);
  for (const auto& entry : tokenizer.at("added_tokens")) rows = std::max(rows, entry.at("id").get<uint32_t>() + 1);
  auto words = read_hf_vocabulary(folder, rows);
  gguf_builder file;
  file.add_string("general.architecture", "llama");
  add_vocabulary(file, words, "the model");
  const auto again = read_vocabulary(read(write_temporary(file.bytes(), ".gguf")), rows);
  CHECK(again.pre_tokenizer == (words.whole_words_first ? "llama-bpe" : "dbrx"));
  words.rules.clear();
  require_same_ids(words, again, recorded_texts(read_json(folder / "golden.json")));
}
