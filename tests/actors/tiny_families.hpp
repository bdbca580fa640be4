#pragma once
// A tiny model of each family that has an encoder, or whose rows see later rows.
#include "model/testing/tiny_encoder.hpp"

namespace troupe::testing {

struct tiny_family {
  const char* name;
  const char* model_class;
  const char* changes = "{}"; // Of its configuration.
};

constexpr tiny_family bert{"bert", "BertForSequenceClassification"};
constexpr tiny_family distilbert{"distilbert", "DistilBertForQuestionAnswering"};
constexpr tiny_family bart{"bart", "BartForConditionalGeneration"};
constexpr tiny_family marian{"marian", "MarianMTModel"};
constexpr tiny_family t5{"t5", "T5ForConditionalGeneration", R"({"feed_forward_proj": "relu"})"};
constexpr tiny_family t5_v11{"t5 v1.1", "T5ForConditionalGeneration", R"({"tie_word_embeddings": false})"};
constexpr tiny_family vit{"vit", "ViTForImageClassification"};
constexpr tiny_family whisper{"whisper", "WhisperForConditionalGeneration"};
constexpr tiny_family encoder_families[] = {bert, distilbert, bart, marian, t5, t5_v11, vit, whisper};

inline std::shared_ptr<const model_file> make(const tiny_family& family) {
  return tiny_encoder(family.model_class, 1, family.changes);
}

} // namespace troupe::testing
