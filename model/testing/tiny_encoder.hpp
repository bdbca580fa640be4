#pragma once
// Small models with encoders for tests: random weights from a seed, no vocabulary. The same arguments give the same weights everywhere.
#include "model/model_file.hpp"
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

namespace troupe::testing {

/// model_class: BertModel, BertForMaskedLM, BertForQuestionAnswering, BertForSequenceClassification, the same of DistilBert,
/// MarianMTModel, BartForConditionalGeneration, T5ForConditionalGeneration, ViTModel, ViTForImageClassification,
/// WhisperForConditionalGeneration. Width 32, 2 layers a stack, 100 tokens, at least 64 positions; of images 9 patches, and 5 labels; of
/// sound 18 frames of 5 features. End of generation is token 2; the start token is 1. changes: members of the config.json to set, as a
/// JSON object.
std::shared_ptr<const model_file> tiny_encoder(std::string_view model_class, uint64_t seed = 1, std::string_view changes = "{}");

/// The same as a folder that Hugging Face's libraries would open, in this process's temporary directory: config.json,
/// generation_config.json with `generation_config` as its text, model.safetensors. No tokenizer.
std::filesystem::path write_tiny_encoder(std::string_view model_class, std::string_view generation_config = R"({"eos_token_id": 2})",
                                         std::string_view changes = "{}");

} // namespace troupe::testing
