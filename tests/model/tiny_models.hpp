#pragma once
// The tiny models that the tests of parts and of the reference run through.
#include "model/model_file.hpp"
#include "model/testing/gguf_builder.hpp"
#include "model/testing/tiny_model.hpp"
#include <vector>

namespace troupe {

using testing::raw_bits;

struct tiny_choice {
  testing::tiny_model_options options;
  std::string remark;

  bool is_quantised() const {
    const tensor_type type = options.type;
    return type != tensor_type::f32 && type != tensor_type::f16 && type != tensor_type::bf16;
  }
  /// Against float64 with exact activations, relative RMS: float32 rounding, or activations in int8 blocks.
  double tolerance() const { return is_quantised() ? 2.5e-2 : 1e-4; }
  std::string name() const {
    return options.architecture + " " + std::string(traits_of(options.type).name) + remark;
  }
};

/// Every family in a plain and a quantised type; every other type once; and sizes that divide by nothing. The
/// first is a llama in F32.
inline std::vector<tiny_choice> tiny_choices() {
  std::vector<tiny_choice> choices;
  for (const char* family : {"llama", "qwen2", "qwen3", "gpt2"})
    for (const tensor_type type : {tensor_type::f32, tensor_type::f16, tensor_type::q8_0, tensor_type::q4_0})
      choices.push_back({{.architecture = family, .type = type}, ""});
  for (const tensor_type type :
       {tensor_type::bf16, tensor_type::q4_1, tensor_type::q5_0, tensor_type::q5_1, tensor_type::iq4_nl})
    choices.push_back({{.type = type}, ""});
  for (const tensor_type type : {tensor_type::q2_k, tensor_type::q3_k, tensor_type::q4_k, tensor_type::q5_k,
                                 tensor_type::q6_k, tensor_type::iq4_xs})
    choices.push_back({{.type = type, .width = 256, .head_dim = 64, .feed_forward = 512}, ""});
  choices.push_back({{.also = [](auto& file) {
                        file.add_string("llama.rope.scaling.type", "yarn");
                        file.add_f32("llama.rope.scaling.factor", 4);
                        file.add_u32("llama.rope.scaling.original_context_length", 32);
                      }},
                     " yarn"});
  choices.push_back({{.width = 84,
                      .heads = 6,
                      .kv_heads = 3,
                      .head_dim = 14,
                      .feed_forward = 131,
                      .vocabulary = 301,
                      .tied = true,
                      .with_biases = true},
                     " awkward"});
  choices.push_back({{.type = tensor_type::q8_0,
                      .heads = 4,
                      .kv_heads = 4,
                      .feed_forward = 172,
                      .tied = true,
                      .with_biases = true},
                     " mixed"});
  return choices;
}

inline std::shared_ptr<const model_file> open_tiny(const tiny_choice& choice) {
  return open_model(testing::write_tiny_model(choice.options));
}

inline std::vector<uint32_t> random_tokens(const model_file& file, size_t count, uint64_t seed = 42) {
  raw_bits bits{seed};
  std::vector<uint32_t> tokens(count);
  for (uint32_t& token : tokens) token = uint32_t(bits.below(file.spec.vocabulary));
  return tokens;
}

} // namespace troupe
