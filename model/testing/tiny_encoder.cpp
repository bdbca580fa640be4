#include "model/testing/tiny_encoder.hpp"
#include "model/error.hpp"
#include "model/families/family.hpp"
#include "model/formats/hf_source.hpp"
#include "model/formats/safetensors.hpp"
#include "model/kernels/dequantize.hpp"
#include "model/testing/tiny_model.hpp"
#include <algorithm>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

namespace troupe::testing {
namespace {

using nlohmann::json;

json bert_config(std::string_view model_class) {
  return {{"model_type", "bert"},          {"architectures", {model_class}}, {"vocab_size", 100},
          {"hidden_size", 32},             {"num_hidden_layers", 2},         {"num_attention_heads", 4},
          {"intermediate_size", 48},       {"hidden_act", "gelu"},           {"max_position_embeddings", 64},
          {"type_vocab_size", 2},          {"layer_norm_eps", 1e-12}};
}

json distilbert_config(std::string_view model_class) {
  return {{"model_type", "distilbert"}, {"architectures", {model_class}}, {"vocab_size", 100},
          {"dim", 32},                  {"n_layers", 2},                  {"n_heads", 4},
          {"hidden_dim", 48},           {"activation", "gelu"},           {"max_position_embeddings", 64}};
}

json bart_config(std::string_view model_class, std::string_view type, bool scales) {
  return {{"model_type", type},        {"architectures", {model_class}}, {"vocab_size", 100},
          {"is_encoder_decoder", true}, {"d_model", 32},                 {"encoder_layers", 2},
          {"decoder_layers", 2},       {"encoder_attention_heads", 2},  {"decoder_attention_heads", 2},
          {"encoder_ffn_dim", 48},     {"decoder_ffn_dim", 48},         {"activation_function", "gelu"},
          {"max_position_embeddings", 64}, {"scale_embedding", scales},  {"decoder_start_token_id", 1}};
}

json t5_config(std::string_view model_class) {
  return {{"model_type", "t5"},        {"architectures", {model_class}}, {"vocab_size", 100}, {"is_encoder_decoder", true},
          {"d_model", 32},             {"num_layers", 2},                {"num_heads", 4},    {"d_kv", 16},
          {"d_ff", 48},                {"decoder_start_token_id", 1},    {"feed_forward_proj", "gated-gelu"},
          {"relative_attention_num_buckets", 8}, {"relative_attention_max_distance", 20}};
}

json vit_config(std::string_view model_class) {
  return {{"model_type", "vit"},    {"architectures", {model_class}}, {"hidden_size", 32},       {"num_hidden_layers", 2},
          {"num_attention_heads", 4}, {"intermediate_size", 48},      {"hidden_act", "gelu"},    {"layer_norm_eps", 1e-12},
          {"image_size", 14},       {"patch_size", 4},                {"num_channels", 3},       {"num_labels", 5}};
}

json whisper_config(std::string_view model_class) {
  return {{"model_type", "whisper"},    {"architectures", {model_class}}, {"vocab_size", 100},
          {"is_encoder_decoder", true}, {"d_model", 32},                  {"encoder_layers", 2},
          {"decoder_layers", 2},        {"encoder_attention_heads", 2},   {"decoder_attention_heads", 2},
          {"encoder_ffn_dim", 48},      {"decoder_ffn_dim", 48},          {"activation_function", "gelu"},
          {"num_mel_bins", 5},          {"max_source_positions", 9},      {"max_target_positions", 64},
          {"decoder_start_token_id", 1}};
}

json config_of(std::string_view model_class) {
  if (model_class.starts_with("ViT")) return vit_config(model_class);
  if (model_class.starts_with("Whisper")) return whisper_config(model_class);
  if (model_class.starts_with("Bert")) return bert_config(model_class);
  if (model_class.starts_with("DistilBert")) return distilbert_config(model_class);
  if (model_class == "MarianMTModel") return bart_config(model_class, "marian", true);
  if (model_class == "BartForConditionalGeneration") return bart_config(model_class, "bart", false);
  TROUPE_ASSERT(model_class == "T5ForConditionalGeneration");
  return t5_config(model_class);
}

} // namespace

std::shared_ptr<const model_file> tiny_encoder(std::string_view model_class, uint64_t seed, std::string_view changes) {
  json config = config_of(model_class);
  config.update(json::parse(changes));
  auto description = describe_model(config_source(config.dump()));
  raw_bits bits{seed};
  for (const auto& copy : description.copies) {
    const std::span<std::byte> bytes = copy->bytes();
    for (size_t i = 0; i < bytes.size(); i += sizeof(float)) {
      const float value = bits.uniform(-0.4f, 0.4f);
      std::memcpy(&bytes[i], &value, sizeof value);
    }
  }
  auto model = make_model_file(std::move(description));
  model->words.end_of_generation = {2};
  return model;
}

std::filesystem::path write_tiny_encoder(std::string_view model_class, std::string_view generation_config, std::string_view changes) {
  const auto model = tiny_encoder(model_class, 1, changes);
  const auto folder = temporary_folder();
  std::ofstream(folder / "config.json") << model->config;
  std::ofstream(folder / "generation_config.json") << generation_config;
  std::vector<safetensors_plan> plan;
  for (const auto& one : model->published) plan.push_back({one.hugging_face_name, safetensors_type::float32, one.shape});
  safetensors_writer file(folder / "model.safetensors", plan);
  for (const auto& one : model->published) file.write(dequantize(one.view));
  file.finish();
  return folder;
}

} // namespace troupe::testing
