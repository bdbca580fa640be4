// Goal: each family describes its models as published; what does not fit together is refused, naming key or
// tensor, what was wanted and what was found. Files are tiny models with one thing changed.
#include "model/error.hpp"
#include "model/families/family.hpp"
#include "model/model_file.hpp"
#include "support/catch.hpp"
#include "model/testing/gguf_builder.hpp"
#include "model/testing/tiny_model.hpp"
#include <cmath>

using namespace troupe;
using namespace troupe::testing;

namespace {

std::shared_ptr<const model_file> open(const tiny_model_options& options) {
  return open_model(write_tiny_model(options));
}

void require_refused(const tiny_model_options& options, const std::string& reason) {
  INFO("wanted: " << reason);
  const auto path = write_tiny_model(options);
  CHECK_THROWS_AS(open_model(path), input_error);
  CHECK_THROWS_WITH(open_model(path), ContainsSubstring(path.string() + ": ") && ContainsSubstring(reason));
}

/// A tiny model in which `key` is what `add` adds under that name.
tiny_model_options with(const std::string& architecture, const std::string& key,
                        const std::function<void(gguf_builder&)>& add) {
  tiny_model_options options;
  options.architecture = architecture;
  options.without = {key};
  options.also = add;
  return options;
}

tiny_model_options with_u32(const std::string& key, uint32_t value,
                            const std::string& architecture = "llama") {
  return with(architecture, key, [=](auto& file) { file.add_u32(key, value); });
}

tiny_model_options with_f32(const std::string& key, float value) {
  return with("llama", key, [=](auto& file) { file.add_f32(key, value); });
}

tiny_model_options without(const std::string& what, const std::string& architecture = "llama") {
  return with(architecture, what, [](auto&) {});
}

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float infinite = std::numeric_limits<float>::infinity();

} // namespace

TEST_CASE("a llama has RMS norms, interleaved rotary positions and a gated feed-forward") {
  const auto model = open({.layers = 3});
  const model_spec& spec = model->spec;
  CHECK(spec.architecture == "llama");
  CHECK(spec.name == "tiny-llama");
  CHECK(spec.vocabulary == 320);
  CHECK(spec.width == 64);
  CHECK(spec.context_length == 128);
  CHECK(spec.embedding.positions == position_kind::none);
  CHECK(spec.final_norm->kind == norm_kind::rms);
  CHECK(spec.final_norm->epsilon == 1e-5f);
  REQUIRE(spec.layers.size() == 3);
  for (const layer_spec& layer : spec.layers) {
    CHECK(layer.norm.kind == norm_kind::rms);
    CHECK(layer.attention.heads == 4);
    CHECK(layer.attention.kv_heads == 2);
    CHECK(layer.attention.head_dim == 16);
    CHECK(layer.attention.causal);
    CHECK(layer.attention.scale == 0.25f);
    CHECK(!layer.attention.query_key_norm);
    CHECK(layer.attention.rope.kind == rope_kind::interleaved);
    CHECK(layer.attention.rope.dimensions == 16);
    CHECK(layer.attention.rope.base == 10000.0f);
    CHECK(layer.attention.rope.scaling_factor == 1.0f);
    CHECK(layer.attention.rope.factors.empty());
    CHECK(layer.feed_forward.gated);
    CHECK(layer.feed_forward.activation == activation_kind::silu);
    CHECK(layer.feed_forward.width == 96);
  }
  const layer_tensors& layer = model->tensors.layers.at(2);
  CHECK(layer.attention.query.weight.name == "blk.2.attn_q.weight");
  CHECK(layer.attention.query.weight.rows == 64);
  CHECK(layer.attention.key.weight.rows == 32);
  CHECK(layer.attention.value.weight.rows == 32);
  CHECK(layer.feed_forward.gate->weight.rows == 96);
  CHECK(layer.feed_forward.down.weight.columns == 96);
  CHECK(!layer.attention.query.bias);
  CHECK(model->tensors.output.weight.name == "output.weight");
  CHECK(model->parameters == 2 * 320 * 64 + 64 + 3 * (2 * 64 + 64 * 64 * 2 + 64 * 32 * 2 + 3 * 64 * 96));
}

TEST_CASE("a llama's biases are taken where the file has them") {
  const auto model = open({.with_biases = true});
  const layer_tensors& layer = model->tensors.layers.at(0);
  CHECK(layer.attention.query.bias->columns == 64);
  CHECK(layer.attention.output.bias->columns == 64);
  CHECK(layer.feed_forward.gate->bias->columns == 96);
}

TEST_CASE("qwen2 turns half-split pairs and demands biases on queries, keys and values") {
  const auto model = open({.architecture = "qwen2"});
  const attention_spec& attention = model->spec.layers.at(0).attention;
  CHECK(attention.rope.kind == rope_kind::half_split);
  CHECK(attention.rope.base == 1000000.0f);
  CHECK(model->tensors.layers.at(0).attention.query.bias->columns == 64);
  CHECK(model->tensors.layers.at(0).attention.key.bias->columns == 32);
  CHECK(model->tensors.layers.at(0).attention.value.bias->columns == 32);
  CHECK(!model->tensors.layers.at(0).attention.output.bias);
  require_refused(without("blk.1.attn_k.bias", "qwen2"),
                  "tensor \"blk.1.attn_k.bias\": is missing; wanted [1, 32]");
}

TEST_CASE("qwen3 normalises queries and keys, and its heads may be wider than width / heads") {
  const auto model = open({.architecture = "qwen3", .head_dim = 32});
  const attention_spec& attention = model->spec.layers.at(0).attention;
  CHECK(attention.head_dim == 32);
  CHECK(attention.scale == 1.0f / std::sqrt(32.0f));
  CHECK(attention.rope.kind == rope_kind::half_split);
  CHECK(attention.query_key_norm->kind == norm_kind::rms);
  const attention_tensors& tensors = model->tensors.layers.at(1).attention;
  CHECK(tensors.query.weight.rows == 128);
  CHECK(tensors.output.weight.columns == 128);
  CHECK(tensors.query_norm->weight.columns == 32);
  CHECK(tensors.key_norm->weight.name == "blk.1.attn_k_norm.weight");
  require_refused(without("blk.0.attn_q_norm.weight", "qwen3"), "attn_q_norm.weight\": is missing");
}

TEST_CASE("gpt2 has learned positions, layer norms, and its fused projection cut in three") {
  const auto model = open({.architecture = "gpt2"});
  const model_spec& spec = model->spec;
  CHECK(spec.embedding.positions == position_kind::learned);
  CHECK(model->tensors.positions->rows == 128);
  CHECK(spec.final_norm->kind == norm_kind::layer);
  const layer_spec& layer = spec.layers.at(0);
  CHECK(layer.attention.rope.kind == rope_kind::none);
  CHECK(layer.attention.kv_heads == 4);
  CHECK(!layer.feed_forward.gated);
  CHECK(layer.feed_forward.activation == activation_kind::gelu_tanh);
  CHECK(!model->tensors.layers.at(0).feed_forward.gate);
  CHECK(model->tensors.layers.at(0).feed_forward.up.bias->columns == 96);
  CHECK(model->tensors.final_norm->bias->columns == 64);

  const attention_tensors& cut = model->tensors.layers.at(0).attention;
  const gguf file(std::make_shared<const input_file>(model->path));
  const uint64_t fused = file.find_tensor("blk.0.attn_qkv.weight")->offset;
  const uint64_t biases = file.find_tensor("blk.0.attn_qkv.bias")->offset;
  const projection_tensors* parts[] = {&cut.query, &cut.key, &cut.value};
  for (size_t i = 0; i < 3; ++i) {
    CHECK(parts[i]->weight.rows == 64);
    CHECK(parts[i]->bias->columns == 64);
    CHECK(parts[i]->weight.offset == fused + i * 64 * 64 * 4);
    CHECK(parts[i]->bias->offset == biases + i * 64 * 4);
  }
  require_refused(with_u32("gpt2.attention.head_count_kv", 2, "gpt2"), "gpt2 does not share");
  require_refused(with_u32("gpt2.context_length", 127, "gpt2"),
                  "tensor \"position_embd.weight\": wanted [127, 64], found [128, 64]");
}

TEST_CASE("without an output matrix the embedding serves as one") {
  const auto architecture = GENERATE(as<std::string>{}, "llama", "qwen2", "qwen3", "gpt2");
  const auto model = open({.architecture = architecture, .tied = true});
  CHECK(model->tensors.output.weight.is_same_place(model->tensors.embedding));
}

TEST_CASE("rotary scaling is none, linear or YaRN, and factors come from their tensor") {
  const auto rope_of = [](const tiny_model_options& options) {
    return open(options)->spec.layers[0].attention.rope;
  };
  CHECK(rope_of(with_f32("llama.rope.scaling.factor", 4)).scaling_factor == 4);
  CHECK(rope_of(with_f32("llama.rope.scaling.factor", 0)).scaling_factor == 1);
  CHECK(rope_of(with_f32("llama.rope.scale_linear", 2)).scaling_factor == 2);
  tiny_model_options options;
  options.also = [](auto& file) {
    file.add_string("llama.rope.scaling.type", "none");
    file.add_f32("llama.rope.scaling.factor", 4);
  };
  CHECK(rope_of(options).scaling_factor == 1);
  options.also = [](auto& file) { file.add_string("llama.rope.scaling.type", "longrope"); };
  require_refused(options,
                  "llama.rope.scaling.type: \"longrope\" is not supported; supported are none, linear and yarn");

  const auto factors = [&](std::vector<float> values) {
    options.also = [=](auto& file) {
      std::string data;
      for (const float value : values) data += bytes_of(value);
      file.add_tensor("rope_freqs.weight", {values.size()}, 0, data);
    };
    return options;
  };
  CHECK(rope_of(factors({1, 1, 1, 2, 2, 4, 8, 8})).factors == std::vector<float>{1, 1, 1, 2, 2, 4, 8, 8});
  require_refused(factors({1, 1}), "rope_freqs.weight\": wanted [1, 8], found [1, 2]");
  require_refused(factors({1, 1, 1, 2, 2, 4, 8, 0}), "rope_freqs.weight\": wanted numbers from 1e-06");
  require_refused(factors({1, 1, 1, 2, 2, 4, 8, not_a_number}), "rope_freqs.weight\": wanted numbers");
  CHECK(rope_of(with_u32("llama.rope.dimension_count", 8)).dimensions == 8);
  require_refused(with_u32("llama.rope.dimension_count", 7), "7 is odd");
  require_refused(with_u32("llama.rope.dimension_count", 18), "from 2 to 16, found 18");
  require_refused(with_u32("llama.rope.dimension_count", 0), "from 2 to 16, found 0");
}

TEST_CASE("numbers that nothing could be computed with are refused") {
  require_refused(with_u32("llama.block_count", 0),
                  "llama.block_count: wanted an integer from 1 to 2048, found 0");
  require_refused(with_u32("llama.block_count", 4000000000), "found 4000000000");
  require_refused(with_u32("llama.block_count", 2000), "2000 layers, but there are only 21 tensors");
  require_refused(with_u32("llama.attention.head_count", 0),
                  "head_count: wanted an integer from 1 to 1024, found 0");
  require_refused(with_u32("llama.attention.head_count_kv", 0), "found 0");
  require_refused(with_u32("llama.attention.head_count_kv", 3),
                  "4 query heads cannot share 3 key/value heads");
  require_refused(with_u32("llama.attention.head_count_kv", 8),
                  "4 query heads cannot share 8 key/value heads");
  require_refused(with_u32("llama.attention.head_count", 6), "does not divide among 6 heads");
  require_refused(with_u32("llama.attention.key_length", 0),
                  "key_length: wanted an integer from 1 to 1024, found 0");
  require_refused(with_u32("llama.attention.key_length", 4096), "found 4096");
  require_refused(with_u32("llama.attention.value_length", 8), "values of another length (8) than keys (16)");
  require_refused(with_u32("llama.context_length", 0), "context_length: wanted an integer from 1");
  require_refused(with_u32("llama.embedding_length", 0), "embedding_length: wanted an integer from 8");
  require_refused(with_u32("llama.feed_forward_length", 0), "feed_forward_length: wanted an integer from 1");
  for (const float epsilon : {0.0f, -1e-5f, 2.0f, infinite, not_a_number}) {
    require_refused(with_f32("llama.attention.layer_norm_rms_epsilon", epsilon),
                    "epsilon: wanted a number from");
  }
  for (const float base : {0.0f, -1.0f, infinite, not_a_number}) {
    require_refused(with_f32("llama.rope.freq_base", base), "rope.freq_base: wanted a number from 1 to");
  }
  for (const float factor : {-1.0f, 1e-20f, infinite, not_a_number}) {
    require_refused(with_f32("llama.rope.scaling.factor", factor), "rope.scaling.factor: wanted");
  }
}

TEST_CASE("missing keys and tensors, and other shapes than the keys say, are refused by name") {
  for (const std::string key : {"block_count", "embedding_length", "context_length", "feed_forward_length",
                                "attention.head_count", "attention.layer_norm_rms_epsilon"}) {
    require_refused(without("llama." + key), "llama." + key + ": this key is missing");
  }
  for (const std::string tensor : {"token_embd.weight", "blk.0.attn_norm.weight", "blk.1.attn_q.weight",
                                   "blk.1.ffn_gate.weight", "blk.1.ffn_down.weight", "output_norm.weight"}) {
    require_refused(without(tensor), "tensor \"" + tensor + "\": is missing");
  }
  require_refused(with_u32("llama.feed_forward_length", 95),
                  "tensor \"blk.0.ffn_gate.weight\": wanted [95, 64], found [96, 64]");
  require_refused(with_u32("llama.embedding_length", 128), "token_embd.weight\": wanted 128 columns");
  require_refused(with_u32("llama.block_count", 3), "tensor \"blk.2.attn_norm.weight\": is missing");
}

TEST_CASE("a tensor that the family does not know is refused, since the model would run wrongly") {
  require_refused(with_u32("llama.block_count", 1), "is not part of this architecture as it is known here");
  tiny_model_options options;
  options.also = [](auto& file) {
    file.add_tensor("blk.0.attn_sinks.weight", {4}, 0, std::string(16, '\0'));
  };
  require_refused(options, "tensor \"blk.0.attn_sinks.weight\": is not part of this architecture");
  options.also = [](auto& file) { file.add_tensor("blk.0.attn_norm.bias", {64}, 0, std::string(256, '\0')); };
  require_refused(options, "tensor \"blk.0.attn_norm.bias\": is not part");
}

TEST_CASE("YaRN's keys are read, with llama.cpp's defaults") {
  const auto with_yarn = [](const std::function<void(gguf_builder&)>& more) {
    tiny_model_options options;
    options.also = [=](auto& file) {
      file.add_string("llama.rope.scaling.type", "yarn");
      more(file);
    };
    return options;
  };
  const auto spec_of = [](const tiny_model_options& options) { return open(options)->spec; };
  const auto plain = spec_of(with_yarn([](auto& file) { file.add_f32("llama.rope.scaling.factor", 4); }));
  CHECK(*plain.layers[0].attention.rope.yarn == yarn_spec{4, 128, 32, 1, float(1 + 0.1 * std::log(4.0)), true});
  CHECK(plain.layers[0].attention.rope.scaling_factor == 1);
  CHECK(plain.context_length == 512); // 4 times what it was.
  const auto all = spec_of(with_yarn([](auto& file) {
    file.add_f32("llama.rope.scaling.factor", 2);
    file.add_u32("llama.rope.scaling.original_context_length", 16);
    file.add_f32("llama.rope.scaling.yarn_ext_factor", 1);
    file.add_f32("llama.rope.scaling.attn_factor", 3);
    file.add_f32("llama.rope.scaling.yarn_beta_fast", 16);
    file.add_f32("llama.rope.scaling.yarn_beta_slow", 2);
  }));
  CHECK(*all.layers[0].attention.rope.yarn == yarn_spec{2, 16, 16, 2, 3 * float(1 + 0.1 * std::log(2.0)), true});
  CHECK(all.context_length == 128);
  const auto number = [&](const std::string& key, float value) {
    return with_yarn([=](auto& file) { file.add_f32("llama.rope." + key, value); });
  };
  require_refused(number("scaling.factor", 0.5f), "rope.scaling.factor: wanted a number from 1 to 1000000");
  require_refused(number("scaling.yarn_ext_factor", 0.5f), "yarn_ext_factor: wanted a number from 1 to 1, found 0.5");
  require_refused(number("scaling.yarn_log_multiplier", 0.1f), "yarn_log_multiplier: wanted a number from 0 to 0");
  require_refused(number("scaling.yarn_beta_fast", 1), "yarn_beta_fast: wanted more than 1, the slow one");
  require_refused(number("scaling.attn_factor", 0), "attn_factor: wanted a number from 0.001");
  require_refused(with_yarn([](auto& file) { file.add_u32("llama.rope.scaling.original_context_length", 0); }),
                  "original_context_length: wanted an integer from 1");
}

TEST_CASE("norms and biases must not be quantised") {
  tiny_model_options options;
  options.without = {"output_norm.weight"};
  options.also = [](auto& file) { file.add_tensor("output_norm.weight", {64}, 8, std::string(68, '\0')); };
  require_refused(options, "tensor \"output_norm.weight\": wanted F32, F16 or BF16, found Q8_0");
}

TEST_CASE("what is not a model of a known family is refused, listing those that are") {
  require_refused(without("general.architecture"), "general.architecture: this key is missing");
  const auto string = [](const std::string& key, const std::string& value) {
    return with("llama", key, [=](auto& file) { file.add_string(key, value); });
  };
  require_refused(string("general.architecture", "mamba"),
                  "\"mamba\" is not supported; supported are gpt2, llama, qwen2, qwen3");
  require_refused(string("general.architecture", std::string("lla\0ma", 6)),
                  "\"lla\\x00ma\" is not supported");
  require_refused(string("general.type", "adapter"), "general.type: wanted a model, found \"adapter\"");
  CHECK(open(string("general.type", "model"))->spec.width == 64);
  require_refused(with_u32("llama.expert_count", 8), "mixtures of experts are not supported (8 experts)");
  CHECK(open(with_u32("llama.expert_count", 0))->spec.width == 64);
  require_refused(with("llama", "x", [](auto& file) { file.add_bool("llama.attention.causal", false); }),
                  "only causal attention");
  CHECK(open(string("general.name", "na\xffme"))->spec.name == "\"na\\xffme\"");
}

TEST_CASE("families are listed by name") {
  REQUIRE(families().size() == 18);
  CHECK(families()[0].architecture == "bart");
}
