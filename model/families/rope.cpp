// Rotary positions, as each publication describes them.
#include "model/families/family_reader.hpp"
#include "model/formats/byte_reader.hpp"
#include "model/kernels/dequantize.hpp"
#include <algorithm>
#include <cmath>
#include <numbers>

namespace troupe {
namespace {

constexpr bounds base_bounds{1, 1e12};
constexpr bounds factor_bounds{1e-3, 1e6};

/// 1 + 0.1 ln(factor), the logarithm weighed by `weight`; the paper's magnitude, eq. 22.
float magnitude_of(double factor, double weight = 1) { return factor <= 1 ? 1.0f : float(1 + 0.1 * weight * std::log(factor)); }

/// What the publications have in common, defaults too; the names of the keys are their own.
yarn_spec read_yarn(const hyperparameters& parameters, const published_name& factor, const published_name& original,
                    const published_name& fast, const published_name& slow, float base, uint32_t context_length) {
  yarn_spec yarn;
  yarn.original_context = parameters.count(original, {1, double(context_max)}, context_length);
  // Without a factor it is what the context has grown by.
  const float grown = float(double(context_length) / yarn.original_context);
  yarn.factor = parameters.number(factor, {1, factor_bounds.high}, std::max(grown, 1.0f));
  yarn.beta_fast = parameters.number(fast, factor_bounds, yarn.beta_fast);
  yarn.beta_slow = parameters.number(slow, factor_bounds, yarn.beta_slow);
  if (yarn.beta_fast <= yarn.beta_slow) parameters.fail(fast, "wanted more than " + text_of(double(yarn.beta_slow)) + ", the slow one");
  if (base <= 1) parameters.fail({"rope.freq_base", "rope_theta"}, "with YaRN, wanted more than 1");
  yarn.magnitude = magnitude_of(double(yarn.factor));
  return yarn;
}

/// llama.cpp multiplies the magnitude by attn_factor, by either name.
yarn_spec read_gguf_yarn(const hyperparameters& parameters, float base, uint32_t context_length) {
  const published_name extrapolation{"rope.scaling.yarn_ext_factor", ""}, log_multiplier{"rope.scaling.yarn_log_multiplier", ""},
      attention{"rope.scaling.attn_factor", ""}, other_attention{"rope.scaling.yarn_attn_factor", ""};
  yarn_spec yarn = read_yarn(parameters, {"rope.scaling.factor", ""}, {"rope.scaling.original_context_length", ""},
                             {"rope.scaling.yarn_beta_fast", ""}, {"rope.scaling.yarn_beta_slow", ""}, base, context_length);
  parameters.number(extrapolation, {1, 1}, 1);
  parameters.number(log_multiplier, {0, 0}, 0);
  yarn.magnitude *= parameters.number(parameters.has(other_attention) ? other_attention : attention, factor_bounds, 1);
  return yarn;
}

/// Keys "rope.*" and the tensor "rope_freqs.weight".
rope_spec read_gguf_rope(const hyperparameters& parameters, tensor_lookup& tensors, const decoder_sizes& sizes) {
  const uint32_t head_dim = sizes.head_dim;
  rope_spec rope;
  const published_name dimensions{"rope.dimension_count", ""}, scaling{"rope.scaling.type", ""},
      factor{"rope.scaling.factor", ""}, older_factor{"rope.scale_linear", ""},
      factors{"rope_freqs.weight", ""};
  rope.dimensions = parameters.count(dimensions, {2, double(head_dim)}, head_dim);
  rope.base = parameters.number({"rope.freq_base", ""}, base_bounds, 10000.0f);

  // A factor without a type is linear, as is the older key. A factor of 0 stands for none.
  const auto type = parameters.text(scaling).value_or("linear");
  if (type == "yarn") {
    rope.yarn = read_gguf_yarn(parameters, rope.base, sizes.context_length);
  } else if (type != "none" && type != "linear") {
    parameters.fail(scaling, in_quotes(type) + " is not supported; supported are none, linear and yarn");
  }
  if (type == "linear") {
    const auto& key = parameters.has(factor) ? factor : older_factor;
    const float found = parameters.number(key, {0, factor_bounds.high}, 1.0f);
    if (found != 0 && found < 1e-3f) parameters.fail(key, "wanted 0, or a number from 0.001 to 1e+06");
    rope.scaling_factor = found == 0 ? 1.0f : found;
  }

  if (const auto stored = tensors.find_vector(factors, rope.dimensions / 2)) {
    rope.factors = dequantize(*stored);
    for (const float one : rope.factors) {
      const bool is_sane = one >= 1e-6f && one <= 1e6f; // False for NaN.
      if (!is_sane) tensors.fail(factors, "wanted numbers from 1e-06 to 1e+06, found " + text_of(one));
    }
  }
  return rope;
}

/// Llama 3.1's scaling: pairs that turn slowly, less than low_freq_factor times within the original context,
/// turn slower by `factor`; those that turn more than high_freq_factor times stay; between them it is
/// interpolated by the number of turns.
std::vector<float> llama3_factors(const hyperparameters& parameters, const std::string& object,
                                  const rope_spec& rope) {
  const published_name high_key{"", object + ".high_freq_factor"};
  const double factor = parameters.number({"", object + ".factor"}, factor_bounds);
  const double low = parameters.number({"", object + ".low_freq_factor"}, factor_bounds);
  const double high = parameters.number(high_key, factor_bounds);
  const double context = parameters.count({"", object + ".original_max_position_embeddings"}, {1, 1 << 20});
  if (high <= low) parameters.fail(high_key, "wanted more than low_freq_factor");
  std::vector<float> factors;
  for (uint32_t pair = 0; pair < rope.dimensions / 2; ++pair) {
    const double frequency = std::pow(double(rope.base), -2.0 * pair / rope.dimensions);
    const double turns = context * frequency / (2 * std::numbers::pi);
    const double kept = std::clamp((turns - low) / (high - low), 0.0, 1.0); // The share that is not scaled.
    factors.push_back(float(1 / (kept + (1 - kept) / factor)));
  }
  return factors;
}

yarn_spec read_hf_yarn(const hyperparameters& parameters, const std::string& object, float base, uint32_t context_length) {
  const auto member = [&](const char* name) { return published_name{"", object + "." + name}; };
  yarn_spec yarn = read_yarn(parameters, member("factor"), member("original_max_position_embeddings"), member("beta_fast"),
                             member("beta_slow"), base, context_length);
  const float weight = parameters.number(member("mscale"), {0, factor_bounds.high}, 0);
  const float all = parameters.number(member("mscale_all_dim"), {0, factor_bounds.high}, 0);
  if (weight != 0 && all != 0)
    yarn.magnitude = magnitude_of(double(yarn.factor), double(weight)) / magnitude_of(double(yarn.factor), double(all));
  yarn.magnitude = parameters.number(member("attention_factor"), factor_bounds, yarn.magnitude);
  yarn.has_whole_bounds = parameters.flag(member("truncate")).value_or(true);
  return yarn;
}

/// rope_parameters as transformers 5 writes it; before that rope_theta and rope_scaling.
rope_spec read_hf_rope(const hyperparameters& parameters, const decoder_sizes& sizes) {
  const std::string object = parameters.has({"", "rope_parameters"}) ? "rope_parameters" : "rope_scaling";
  rope_spec rope;
  rope.dimensions = sizes.head_dim;
  const float base = parameters.number({"", "rope_theta"}, base_bounds, 10000.0f);
  rope.base = parameters.number({"", object + ".rope_theta"}, base_bounds, base);
  const published_name type_key{"", object + ".rope_type"}, older_key{"", object + ".type"};
  const auto& key = parameters.has(type_key) ? type_key : older_key;
  const auto type = parameters.text(key).value_or("default");
  if (type == "linear") {
    rope.scaling_factor = parameters.number({"", object + ".factor"}, factor_bounds);
  } else if (type == "llama3") {
    rope.factors = llama3_factors(parameters, object, rope);
  } else if (type == "yarn") {
    rope.yarn = read_hf_yarn(parameters, object, rope.base, sizes.context_length);
  } else if (type != "default") {
    parameters.fail(key, in_quotes(type) + " is not supported; supported are default, linear, llama3 and yarn");
  }
  return rope;
}

} // namespace

rope_spec read_rope(const hyperparameters& parameters, tensor_lookup& tensors, rope_kind kind, decoder_sizes& sizes) {
  const bool is_folder = parameters.is_hugging_face();
  rope_spec rope = is_folder ? read_hf_rope(parameters, sizes) : read_gguf_rope(parameters, tensors, sizes);
  if (rope.yarn) {
    const double reach = std::min(double(rope.yarn->original_context) * double(rope.yarn->factor), double(context_max));
    sizes.context_length = std::max(sizes.context_length, uint32_t(reach));
  }
  rope.kind = is_folder ? rope_kind::half_split : kind;
  if (rope.dimensions % 2 != 0) {
    parameters.fail({"rope.dimension_count", "head_dim"},
                    "rotary positions turn pairs; " + std::to_string(rope.dimensions) + " is odd");
  }
  return rope;
}

} // namespace troupe
