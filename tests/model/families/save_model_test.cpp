// Goal: a model that is saved and opened again is the same model, bit for bit, whatever it was made from; a failure leaves nothing.
#include "model/families/new_models.hpp"
#include "model/error.hpp"
#include "model/families/save_model.hpp"
#include "model/formats/atomic_folder.hpp"
#include "model/formats/safetensors.hpp"
#include "model/reference.hpp"
#include "model/testing/tiny_folder.hpp"
#include "model/tokenizer/make_tokenizer.hpp"
#include "support/catch.hpp"
#include "support/file_limit.hpp"
#include "support/references.hpp"
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sys/wait.h>

using namespace troupe;
using namespace troupe::testing;

namespace {

std::filesystem::path saved(const model_file& model) {
  const auto folder = temporary_folder();
  save_folder(folder, model, values_of(model));
  return folder;
}

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<float> logits_of(const std::shared_ptr<const model_file>& model) {
  std::vector<uint32_t> tokens;
  for (uint32_t i = 0; i < 12; ++i) tokens.push_back((i * 37 + 5) % model->spec.vocabulary);
  return reference_model{make_parts(model, {})}.forward(tokens);
}

void require_same_spec(const model_spec& a, const model_spec& b) {
  CHECK(a.architecture == b.architecture);
  CHECK(a.vocabulary == b.vocabulary);
  CHECK(a.width == b.width);
  CHECK(a.context_length == b.context_length);
  CHECK(a.embedding.positions == b.embedding.positions);
  CHECK(a.final_norm->kind == b.final_norm->kind);
  CHECK(a.final_norm->epsilon == b.final_norm->epsilon);
  REQUIRE(a.layers.size() == b.layers.size());
  for (size_t i = 0; i < a.layers.size(); ++i) {
    const auto &one = a.layers[i], &other = b.layers[i];
    CHECK(one.attention.heads == other.attention.heads);
    CHECK(one.attention.kv_heads == other.attention.kv_heads);
    CHECK(one.attention.head_dim == other.attention.head_dim);
    CHECK(one.attention.rope == other.attention.rope);
    CHECK(one.attention.scale == other.attention.scale);
    CHECK(one.attention.query_key_norm.has_value() == other.attention.query_key_norm.has_value());
    CHECK(one.feed_forward.gated == other.feed_forward.gated);
    CHECK(one.feed_forward.activation == other.feed_forward.activation);
    CHECK(one.feed_forward.width == other.feed_forward.width);
    CHECK(one.norm.epsilon == other.norm.epsilon);
  }
}

void require_same_values(const model_file& a, const model_file& b) {
  const auto keyed = keyed_tensors(a.tensors), others = keyed_tensors(b.tensors);
  REQUIRE(keyed.size() == others.size());
  for (size_t i = 0; i < keyed.size(); ++i) {
    INFO(to_string(keyed[i].key));
    CHECK(keyed[i].key == others[i].key);
    CHECK(keyed[i].view->name == others[i].view->name);
    CHECK(keyed[i].view->rows == others[i].view->rows);
    CHECK(others[i].view->type == tensor_type::f32);
    CHECK(values_of(a)(keyed[i].key) == values_of(b)(keyed[i].key));
  }
}

const char* texts[] = {"", "the and all", " the", "a  b\n", "Größe 漢字 \xF0\x9F\x99\x82", "<s>in</s> <0x41>"};

void require_same_words(const vocabulary& a, const vocabulary& b) {
  CHECK(a.pieces == b.pieces);
  CHECK(a.kinds == b.kinds);
  CHECK(a.end_of_generation == b.end_of_generation);
  CHECK(a.bos == b.bos);
  CHECK(a.eos == b.eos);
  for (const char* text : texts)
    CHECK(make_tokenizer(a)->encode(text, special_tokens::as_file) ==
          make_tokenizer(b)->encode(text, special_tokens::as_file));
}

} // namespace

TEST_CASE("a new model that is saved and opened again is the same", "[save]") {
  for (const auto& family : new_families())
    for (const bool tied : {false, true}) DYNAMIC_SECTION(family << (tied ? " tied" : "")) {
      auto config = new_config(family);
      config["tie_word_embeddings"] = tied;
      config["attention_bias"] = config["mlp_bias"] = family == "llama";
      config["of_somebody_else"] = {{"kept", 1.5}};
      const auto model = new_model(config.dump(), new_words(), 3);
      const auto folder = saved(*model);
      const auto again = open_model(folder);
      require_same_spec(model->spec, again->spec);
      require_same_values(*model, *again);
      require_same_words(model->words, again->words);
      CHECK(logits_of(model) == logits_of(again));
      const auto written = nlohmann::json::parse(content(folder / "config.json"));
      CHECK(written.at("of_somebody_else").at("kept") == 1.5);
      CHECK(written.at("torch_dtype") == "float32");
    }
}

TEST_CASE("a model that is saved in half precision has its values rounded, in half the space", "[save]") {
  const auto model = new_model(new_config("llama").dump(), new_words(), 3);
  const auto whole = saved(*model), half = temporary_folder();
  save_folder(half, *model, values_of(*model), tensor_type::f16);
  CHECK(nlohmann::json::parse(content(half / "config.json")).at("torch_dtype") == "float16");
  const auto size_of = [](const auto& folder) { return double(std::filesystem::file_size(folder / "model.safetensors")); };
  CHECK(size_of(half) < 0.6 * size_of(whole));
  const auto again = open_model(half);
  bool is_rounded = false;
  for (const auto& tensor : keyed_tensors(model->tensors)) {
    const auto before = values_of(*model)(tensor.key), after = values_of(*again)(tensor.key);
    REQUIRE(before.size() == after.size());
    for (size_t i = 0; i < before.size(); ++i) {
      REQUIRE(std::abs(before[i] - after[i]) <= std::max(std::abs(before[i]) * 0x1p-11f, 0x1p-25f));
      is_rounded = is_rounded || before[i] != after[i];
    }
  }
  CHECK(is_rounded);
  const auto too_large = [&](const tensor_key& key) {
    auto values = values_of(*model)(key);
    values.back() = 70000;
    return values;
  };
  const auto none = temporary_folder();
  CHECK_THROWS_WITH(save_folder(none, *model, too_large, tensor_type::f16), ContainsSubstring("has values that F16 does not hold"));
  CHECK(std::filesystem::is_empty(none));
}

TEST_CASE("what is saved are the values that the caller gives", "[save]") {
  const auto model = new_model(new_config("gpt2").dump(), {}, 3);
  const auto folder = temporary_folder();
  std::vector<tensor_key> asked;
  save_folder(folder, *model, [&](const tensor_key& key) {
    asked.push_back(key);
    auto values = values_of(*model)(key);
    for (size_t i = 0; i < values.size(); ++i) values[i] = float(asked.size()) + float(i) * 0x1p-20f;
    return values;
  });
  const auto again = open_model(folder);
  CHECK(again->words.kind == tokenizer_kind::none);
  const auto keyed = keyed_tensors(model->tensors);
  CHECK(asked.size() == keyed.size());
  for (size_t n = 0; n < asked.size(); ++n) {
    const auto values = values_of(*again)(asked[n]);
    for (size_t i = 0; i < values.size(); ++i) REQUIRE(values[i] == float(n + 1) + float(i) * 0x1p-20f);
  }
}

TEST_CASE("saved weights have the names and shapes of Hugging Face's models", "[save]") {
  const auto folder = saved(*new_model(new_config("gpt2").dump(), {}, 3));
  const safetensors_reader weights(folder / "model.safetensors");
  CHECK(weights.get("transformer.h.0.attn.c_attn.weight").shape == std::vector<uint64_t>{32, 96});
  CHECK(weights.get("transformer.h.0.attn.c_attn.bias").shape == std::vector<uint64_t>{96});
  CHECK(weights.get("transformer.h.2.mlp.c_proj.weight").shape == std::vector<uint64_t>{128, 32});
  CHECK(weights.get("transformer.wte.weight").shape == std::vector<uint64_t>{300, 32});
  CHECK(weights.get("transformer.ln_f.weight").shape == std::vector<uint64_t>{32});
  CHECK(weights.find("lm_head.weight") == nullptr);
  CHECK_THAT(content(folder / "model.safetensors"), ContainsSubstring(R"("__metadata__":{"format":"pt"})"));
}

TEST_CASE("a model from a folder that is saved and opened again is the same", "[save]") {
  for (const auto& family : new_families())
    for (const tensor_type type : {tensor_type::f32, tensor_type::bf16, tensor_type::f16})
      DYNAMIC_SECTION(family << " " << traits_of(type).name) {
        const auto from = write_tiny_folder({.architecture = family, .type = type}, 2);
        for (const auto& path : {from, from / "config.json"}) {
          const auto model = open_model(path);
          const auto folder = saved(*model);
          const auto again = open_model(folder);
          require_same_spec(model->spec, again->spec);
          require_same_values(*model, *again);
          require_same_words(model->words, again->words);
          CHECK(logits_of(model) == logits_of(again));
          for (const char* name : {"tokenizer.json", "tokenizer_config.json", "generation_config.json"})
            CHECK(content(from / name) == content(folder / name));
        }
      }
}

TEST_CASE("a published folder that is saved and opened again gives the same logits", "[save][conformance]") {
  const auto folder = references() / "hf";
  if (!std::filesystem::exists(folder)) TROUPE_SKIP("no " + folder.string());
  for (const auto& family : new_families()) DYNAMIC_SECTION(family) {
    const auto model = open_model(folder / family);
    const auto path = saved(*model);
    const auto again = open_model(path);
    require_same_spec(model->spec, again->spec);
    require_same_values(*model, *again);
    require_same_words(model->words, again->words);
    CHECK(logits_of(model) == logits_of(again));
    const auto config = nlohmann::json::parse(content(path / "config.json"));
    CHECK(config.at(config.contains("dtype") ? "dtype" : "torch_dtype") == "float32");
    CHECK(config.value("torch_dtype", "float32") == "float32");
  }
}

TEST_CASE("transformers computes the same logits with saved folders, where it is installed", "[save]") {
  for (const auto& family : new_families()) DYNAMIC_SECTION(family) {
    auto config = new_config(family);
    config["initializer_range"] = 0.2; // So that logits differ from token to token.
    const auto model = new_model(config.dump(), {}, 3);
    const auto folder = saved(*model);
    const std::vector<int64_t> ids{5, 42, 79, 116, 153, 190, 227, 264, 1, 38};
    const auto logits = reference_model{make_parts(model, {})}.forward(std::vector<uint32_t>(ids.begin(), ids.end()));
    safetensors_writer writer(folder / "expected.safetensors",
                              {{"input_ids", safetensors_type::int64, {1, ids.size()}},
                               {"logits", safetensors_type::float32, {1, ids.size(), model->spec.vocabulary}}},
                              {{"format", "pt"}});
    writer.write(ids);
    writer.write(logits);
    writer.finish();
    const int status = std::system((TROUPE_SOURCE_DIR "/tests/peers/saved_folder " + folder.string()).c_str());
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) TROUPE_SKIP("transformers is not installed");
    CHECK(status == 0);
  }
}

TEST_CASE("saving refuses GGUF files, folders that are not empty, and vocabularies it cannot write", "[save]") {
  const auto model = new_model(new_config("llama").dump(), {}, 3);
  const auto from_gguf = open_model(write_tiny_model());
  const auto folder = temporary_folder();
  CHECK_THROWS_WITH(save_folder(folder, *from_gguf, values_of(*from_gguf)), ContainsSubstring("a model from a GGUF file cannot be saved"));
  CHECK_THROWS_WITH(save_folder(folder / "none", *model, values_of(*model)), ContainsSubstring("none: wanted an empty folder"));
  auto words = new_words();
  words.kind = tokenizer_kind::byte_pair;
  const auto other = new_model(new_config("llama").dump(), words, 3);
  CHECK_THROWS_WITH(save_folder(folder, *other, values_of(*other)), ContainsSubstring("can be written as tokenizer.json"));
  CHECK(std::filesystem::is_empty(folder));
  std::ofstream(folder / "mine") << "old";
  CHECK_THROWS_WITH(save_folder(folder, *model, values_of(*model)), ContainsSubstring("wanted an empty folder"));
  CHECK(content(folder / "mine") == "old");
}

TEST_CASE("a full disk while saving is one input_error, and leaves nothing", "[save]") {
  const auto model = new_model(new_config("llama").dump(), new_words(), 3);
  const auto parent = temporary_folder();
  for (const rlim_t bytes : {rlim_t(10), rlim_t(2000), rlim_t(40000)}) {
    std::string reason;
    bool is_empty = false;
    {
      atomic_folder folder(parent / "model");
      const file_limit limit(bytes);
      try {
        save_folder(folder.partial(), *model, values_of(*model));
      } catch (const input_error& error) {
        reason = error.what();
      }
      is_empty = std::filesystem::is_empty(folder.partial());
    }
    CHECK_THAT(reason, ContainsSubstring("cannot write the file: File too large"));
    CHECK(is_empty);
    CHECK(std::filesystem::is_empty(parent));
  }
}
