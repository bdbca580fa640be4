// Goal: a new model is what opening a folder with its configuration would give, with weights as documented. Method: small
// configurations of every family; the values are counted.
#include "model/families/new_models.hpp"
#include "model/formats/consistent_model.hpp"
#include "model/error.hpp"
#include "model/families/save_model.hpp"
#include "model/reference.hpp"
#include "model/tokenizer/make_tokenizer.hpp"
#include "support/catch.hpp"
#include <cmath>

using namespace troupe;

namespace {

std::string error_of(const nlohmann::ordered_json& config, vocabulary words = {}) {
  try {
    new_model(config.dump(), std::move(words), 1);
  } catch (const input_error& error) {
    return error.what();
  }
  return "";
}

double deviation_of(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) sum += double(value) * value;
  return std::sqrt(sum / double(values.size()));
}

} // namespace

TEST_CASE("a new model of every family is consistent and computes", "[new]") {
  for (const auto& family : new_families()) DYNAMIC_SECTION(family) {
    const auto model = new_model(new_config(family).dump(), new_words(), 1);
    require_consistent(*model);
    CHECK(model->spec.architecture == family);
    CHECK(model->spec.vocabulary == 300);
    CHECK(model->spec.layers.size() == 3);
    CHECK(model->path.empty());
    CHECK(model->files.empty());
    uint64_t parameters = 0;
    for (const auto& tensor : keyed_tensors(model->tensors)) parameters += tensor.view->rows * tensor.view->columns;
    CHECK(model->parameters == parameters);
    REQUIRE(model->tensor_types.size() == 1);
    CHECK(model->tensor_types[0].first == "F32");
    reference_model run{make_parts(model, {})};
    const auto logits = run.forward(std::vector<uint32_t>{1, 260, 299});
    REQUIRE(logits.size() == 3 * 300);
    CHECK(std::isfinite(logits.back()));
    CHECK(make_tokenizer(model->words)->encode("the and", special_tokens::as_file).front() == 1);
  }
}

TEST_CASE("a new model's weights are those of GPT-2's initialisation", "[new]") {
  for (const auto& family : new_families()) DYNAMIC_SECTION(family) {
    const auto model = new_model(new_config(family).dump(), {}, 1);
    const double range = family == "gpt2" ? 0.05 : 0.02;
    const auto values = values_of(*model);
    for (const auto& tensor : keyed_tensors(model->tensors)) {
      INFO(to_string(tensor.key));
      const auto all = values(tensor.key);
      const auto role = tensor.key.role;
      if (tensor.key.is_bias) {
        CHECK(deviation_of(all) == 0);
      } else if (tensor.view->rows == 1) {
        CHECK(std::all_of(all.begin(), all.end(), [](float value) { return value == 1; }));
      } else {
        const bool is_residual = role == tensor_role::attention_output || role == tensor_role::down;
        const double wanted = is_residual ? range / std::sqrt(6.0) : range;
        CHECK(deviation_of(all) == Approx(wanted).epsilon(5 / std::sqrt(2.0 * double(all.size()))));
      }
    }
  }
}

TEST_CASE("a new model's values depend on seed, tensor and index only", "[new]") {
  auto config = new_config("llama");
  const auto first = new_model(config.dump(), {}, 1), again = new_model(config.dump(), {}, 1),
             other = new_model(config.dump(), {}, 2);
  config["vocab_size"] = 310;
  config["num_key_value_heads"] = 4;
  const auto larger = new_model(config.dump(), {}, 1);
  const tensor_key embedding{0, tensor_role::token_embedding}, key{2, tensor_role::key}, up{1, tensor_role::up},
      next_up{2, tensor_role::up};
  for (const auto& tensor : keyed_tensors(first->tensors))
    CHECK(values_of(*first)(tensor.key) == values_of(*again)(tensor.key));
  CHECK(values_of(*first)(up) == values_of(*larger)(up));
  CHECK(values_of(*first)(up) != values_of(*other)(up));
  CHECK(values_of(*first)(up) != values_of(*first)(next_up));
  for (const auto& one : {embedding, key}) {
    const auto some = values_of(*first)(one), more = values_of(*larger)(one);
    REQUIRE(some.size() < more.size());
    CHECK(std::equal(some.begin(), some.end(), more.begin()));
  }
}

TEST_CASE("a tied new model has one table", "[new]") {
  auto config = new_config("llama");
  const auto untied = new_model(config.dump(), {}, 1);
  config["tie_word_embeddings"] = true;
  const auto tied = new_model(config.dump(), {}, 1);
  CHECK(is_tied(tied->tensors));
  CHECK_FALSE(is_tied(untied->tensors));
  CHECK(tied->parameters + 300 * 32 == untied->parameters);
}

TEST_CASE("a new model's vocabulary is filled up, and refused when it is too large", "[new]") {
  const auto model = new_model(new_config("llama").dump(), new_words(), 1);
  REQUIRE(model->words.pieces.size() == 300);
  CHECK(model->words.pieces[299] == "[PAD299]");
  CHECK(model->words.kinds[299] == piece_kind::unused);
  CHECK(model->words.scores.size() == 300);
  auto config = new_config("llama");
  config["vocab_size"] = new_words().pieces.size();
  CHECK(error_of(config, new_words()).empty());
  config["vocab_size"] = new_words().pieces.size() - 1;
  CHECK_THAT(error_of(config, new_words()), ContainsSubstring("config.json: vocab_size: the vocabulary has 280 pieces"));
}

TEST_CASE("a configuration that no new model can have is refused by its key", "[new]") {
  const auto with = [](const char* key, const nlohmann::ordered_json& value) {
    auto config = new_config("llama");
    config[key] = value;
    return error_of(config);
  };
  const auto without = [](const char* family, const char* key) {
    auto config = new_config(family);
    config.erase(key);
    return error_of(config);
  };
  CHECK_THAT(with("model_type", "mamba"), ContainsSubstring("config.json: model_type: \"mamba\" is not supported"));
  CHECK_THAT(without("llama", "model_type"), ContainsSubstring("config.json: model_type: this key is missing"));
  CHECK_THAT(without("llama", "vocab_size"), ContainsSubstring("config.json: vocab_size: this key is missing"));
  CHECK_THAT(without("gpt2", "n_layer"), ContainsSubstring("config.json: n_layer: this key is missing"));
  CHECK_THAT(with("num_hidden_layers", 0), ContainsSubstring("config.json: num_hidden_layers: wanted an integer"));
  CHECK_THAT(with("vocab_size", 0), ContainsSubstring("config.json: vocab_size: wanted an integer"));
  CHECK_THAT(with("sliding_window", 16), ContainsSubstring("config.json: sliding_window:"));
  CHECK_THAT(with("initializer_range", 7), ContainsSubstring("config.json: initializer_range: wanted a number"));
  CHECK_THROWS_WITH(new_model("[1]", {}, 1), ContainsSubstring("config.json: the file: wanted an object"));
  CHECK_THROWS_WITH(new_model("{", {}, 1), ContainsSubstring("config.json: the file: is not valid JSON"));
}
