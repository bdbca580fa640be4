#include "model/families/family.hpp"
#include "model/families/hf_config.hpp"
#include "model/formats/byte_reader.hpp"
#include <algorithm>
#include <array>

namespace troupe {
namespace {

constexpr std::array all_families{
    family{"gpt2", "GPT2LMHeadModel", describe_gpt2},
    family{"llama", "LlamaForCausalLM", describe_llama},
    family{"qwen2", "Qwen2ForCausalLM", describe_qwen2},
    family{"qwen3", "Qwen3ForCausalLM", describe_qwen3},
};

std::string supported() {
  std::string list;
  for (const auto& known : all_families) list += (list.empty() ? "" : ", ") + std::string(known.architecture);
  return list;
}

/// Adapters and projectors are GGUF files too, but not models.
void require_whole_model(const gguf& file) {
  const auto type = file.find_string("general.type");
  if (type && *type != "model") file.fail("general.type", "wanted a model, found " + in_quotes(*type));
}

const family& find_family(const model_source& source, std::string_view key, std::string_view architecture) {
  const auto found = std::find_if(all_families.begin(), all_families.end(),
                                  [&](const family& known) { return known.architecture == architecture; });
  if (found != all_families.end()) return *found;
  source.fail(key, in_quotes(architecture) + " is not supported; supported are " + supported());
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
  if (first.text() != known.model_class) {
    first.fail(in_quotes(first.text()) + " is not supported; for " + in_quotes(*type) + " it is " +
               std::string(known.model_class));
  }
  return known;
}

} // namespace

std::span<const family> families() { return all_families; }

model_description describe_model(const gguf& file) {
  require_whole_model(file);
  return find_family(file, "general.architecture", file.get_string("general.architecture")).describe(file);
}

model_description describe_model(const hf_source& source) {
  const auto& known = family_of(source);
  require_supported(source);
  auto description = known.describe(source);
  description.config = source.config_text();
  return description;
}

} // namespace troupe
