#include "model/families/family.hpp"
#include "model/families/hf_config.hpp"
#include "model/formats/byte_reader.hpp"
#include <algorithm>
#include <array>

namespace troupe {
namespace {

constexpr std::array all_families{
    family{"bart", "BartForConditionalGeneration", true, describe_bart},
    family{"bert", "BertModel", false, describe_bert},
    family{"bert", "BertForMaskedLM", false, describe_bert_for_masked_lm},
    family{"bert", "BertForSequenceClassification", false, describe_bert_for_classification},
    family{"bert", "BertForQuestionAnswering", false, describe_bert_for_question_answering},
    family{"distilbert", "DistilBertModel", false, describe_distilbert},
    family{"distilbert", "DistilBertForMaskedLM", false, describe_distilbert_for_masked_lm},
    family{"distilbert", "DistilBertForSequenceClassification", false, describe_distilbert_for_classification},
    family{"distilbert", "DistilBertForQuestionAnswering", false, describe_distilbert_for_question_answering},
    family{"gpt2", "GPT2LMHeadModel", false, describe_gpt2},
    family{"llama", "LlamaForCausalLM", false, describe_llama},
    family{"marian", "MarianMTModel", true, describe_marian},
    family{"qwen2", "Qwen2ForCausalLM", false, describe_qwen2},
    family{"qwen3", "Qwen3ForCausalLM", false, describe_qwen3},
    family{"t5", "T5ForConditionalGeneration", true, describe_t5},
    family{"vit", "ViTForImageClassification", false, describe_vit_for_classification},
    family{"vit", "ViTModel", false, describe_vit},
    family{"whisper", "WhisperForConditionalGeneration", true, describe_whisper},
};
// Those whose names of keys and tensors in GGUF files are known here.
constexpr std::array<std::string_view, 4> in_gguf{"gpt2", "llama", "qwen2", "qwen3"};

void add_to(std::string& list, std::string_view name) {
  if (!list.empty() && !list.ends_with(name)) list += ", ";
  if (!list.ends_with(name)) list += name;
}

std::string supported(publication as) {
  std::string list;
  for (const auto& known : all_families)
    if (as == publication::hugging_face || std::ranges::count(in_gguf, known.architecture) > 0) add_to(list, known.architecture);
  return list;
}

/// Adapters and projectors are GGUF files too, but not models.
void require_whole_model(const gguf& file) {
  const auto type = file.find_string("general.type");
  if (type && *type != "model") file.fail("general.type", "wanted a model, found " + in_quotes(*type));
}

/// The class of the architecture that is meant where none is named.
const family& find_family(const model_source& source, std::string_view key, std::string_view architecture) {
  const auto found = std::ranges::find(all_families, architecture, &family::architecture);
  const bool is_known = source.published_as() == publication::hugging_face || std::ranges::count(in_gguf, architecture) > 0;
  if (found != all_families.end() && is_known) return *found;
  source.fail(key, in_quotes(architecture) + " is not supported; supported are " + supported(source.published_as()));
}

/// By model_type; architectures must agree with it, since the same configuration also goes with models that
/// end otherwise than in logits.
const family& family_of(const hf_source& source) {
  const auto type = source.find_string("model_type");
  if (!type) source.fail("model_type", "this key is missing");
  const family& known = find_family(source, "model_type", *type);
  const auto classes = source.config().find("architectures");
  if (!classes || classes->size() == 0) return known;
  const json_node first = (*classes)[0];
  std::string list;
  for (const auto& one : all_families) {
    if (one.architecture != known.architecture) continue;
    if (one.model_class == first.text()) return one;
    add_to(list, one.model_class);
  }
  first.fail(in_quotes(first.text()) + " is not supported; for " + in_quotes(*type) + " it is " + list);
}

} // namespace

std::span<const family> families() { return all_families; }

model_description describe_model(const gguf& file) {
  require_whole_model(file);
  return find_family(file, "general.architecture", file.get_string("general.architecture")).describe(file);
}

model_description describe_model(const hf_source& source) {
  const auto& known = family_of(source);
  require_supported(source, known.has_encoder);
  auto description = known.describe(source);
  description.config = source.config_text();
  return description;
}

} // namespace troupe
