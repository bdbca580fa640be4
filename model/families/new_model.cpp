#include "model/families/new_model.hpp"
#include "model/error.hpp"
#include "model/families/family.hpp"
#include "model/families/family_reader.hpp"
#include "model/formats/hf_source.hpp"
#include "model/sampling/normal.hpp"
#include "model/training/tensor_key.hpp"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

namespace troupe {
namespace {

bool adds_to_residual_stream(tensor_role role) {
  return role == tensor_role::attention_output || role == tensor_role::cross_attention_output || role == tensor_role::down;
}

/// What the deviation of a matrix is divided by: the root of how many of them add to one residual stream, which no norm follows.
float summands(const tensor_key& key, const model_spec& spec) {
  const auto& layers = key.of_encoder ? spec.encoder->layers : spec.layers;
  if (!adds_to_residual_stream(key.role) || layers.front().norms == norm_place::after) return 1;
  return std::sqrt((layers.front().cross_attention ? 3 : 2) * static_cast<float>(layers.size()));
}

std::vector<float> initial_values(const keyed_tensor& tensor, uint64_t seed, float deviation, const model_spec& spec) {
  std::vector<float> values(tensor.view->rows * tensor.view->columns);
  const tensor_key& key = tensor.key;
  if (key.is_bias) return values;
  if (is_norm(key.role)) {
    std::fill(values.begin(), values.end(), 1.0f);
    return values;
  }
  const uint64_t stream = uint64_t(key.of_encoder) << 40 | uint64_t(key.layer) << 8 | uint64_t(key.role);
  normal_values(seed, stream, deviation / summands(key, spec), values);
  return values;
}

void fill(model_description& model, uint64_t seed, float deviation) {
  // What was made for each published tensor is the copy of the same number.
  TROUPE_ASSERT(model.copies.size() == model.published.size());
  std::map<std::string_view, std::span<std::byte>> copies;
  for (size_t i = 0; i < model.copies.size(); ++i)
    copies.emplace(model.published[i].hugging_face_name, model.copies[i]->bytes());
  for (const auto& tensor : keyed_tensors(model.tensors)) {
    const auto copy = copies.at(tensor.view->name);
    const auto values = initial_values(tensor, seed, deviation, model.spec);
    const auto bytes = std::as_bytes(std::span(values));
    TROUPE_ASSERT(tensor.view->offset + bytes.size() <= copy.size());
    std::memcpy(copy.data() + tensor.view->offset, bytes.data(), bytes.size());
  }
}

/// As the vocabulary of a folder: a piece for every id that the model may choose.
void fill_up(vocabulary& words, uint32_t rows) {
  if (words.kind == tokenizer_kind::none) return;
  TROUPE_ASSERT(words.kinds.size() == words.pieces.size());
  for (size_t id = words.pieces.size(); id < rows; ++id)
    words.pieces.push_back("[PAD" + std::to_string(id) + "]");
  words.kinds.resize(rows, piece_kind::unused);
  if (!words.scores.empty()) words.scores.resize(rows);
}

} // namespace

std::shared_ptr<const model_file> new_model(const std::string& config_json, vocabulary words, uint64_t seed) {
  const config_source source(config_json);
  auto description = describe_model(source);
  if (words.pieces.size() > description.spec.vocabulary) {
    source.fail("vocab_size", "the vocabulary has " + std::to_string(words.pieces.size()) +
                                  " pieces, but the model is to embed only " +
                                  std::to_string(description.spec.vocabulary));
  }
  const hyperparameters parameters(source, "");
  const float deviation = parameters.number({"", "init_std"}, {1e-6, 1}, 0.02f); // As bart and marian call it.
  fill(description, seed, parameters.number({"", "initializer_range"}, {1e-6, 1}, deviation));
  auto model = make_model_file(std::move(description));
  fill_up(words, model->spec.vocabulary);
  model->words = std::move(words);
  return model;
}

} // namespace troupe
