#include "model/families/family.hpp"
#include "model/formats/byte_reader.hpp"
#include <algorithm>
#include <array>

namespace troupe {
namespace {

constexpr std::array all_families{
    family{"gpt2", describe_gpt2},
    family{"llama", describe_llama},
    family{"qwen2", describe_qwen2},
    family{"qwen3", describe_qwen3},
};

std::string supported() {
  std::string list;
  for (const auto& known : all_families) list += (list.empty() ? "" : ", ") + std::string(known.architecture);
  return list;
}

/// Adapters, projectors and parts of split models are GGUF files too, but not models.
void require_whole_model(const gguf& file) {
  const auto type = file.find_string("general.type");
  if (type && *type != "model") file.fail("general.type", "wanted a model, found " + in_quotes(*type));
  const auto parts = file.find_unsigned("split.count");
  if (parts && *parts > 1) {
    file.fail("split.count",
              "this is one of " + std::to_string(*parts) +
                  " parts of a model; join them into one file first (llama-gguf-split --merge)");
  }
}

} // namespace

std::span<const family> families() { return all_families; }

model_description describe_model(const gguf& file) {
  require_whole_model(file);
  const auto architecture = file.get_string("general.architecture");
  const auto found = std::find_if(all_families.begin(), all_families.end(),
                                  [&](const family& known) { return known.architecture == architecture; });
  if (found == all_families.end()) {
    file.fail("general.architecture",
              in_quotes(architecture) + " is not supported; supported are " + supported());
  }
  return found->describe(file);
}

} // namespace troupe
