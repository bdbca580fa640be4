// Goal: a folder as Hugging Face publishes models is the same model as a GGUF file of the same weights; what
// it asks for that is not supported is refused by name; what is damaged ends in an input_error with file,
// place and reason. Method: tiny folders of every family, whose files are rewritten.
#include "model/error.hpp"
#include "model/formats/consistent_model.hpp"
#include "model/kernels/dequantize.hpp"
#include "model/kernels/rowwise.hpp"
#include "model/model_file.hpp"
#include "model/reference.hpp"
#include "model/testing/tiny_folder.hpp"
#include "model/tokenizer/make_tokenizer.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include <cmath>
#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <numbers>

using namespace troupe;
using namespace troupe::testing;
using nlohmann::json;

namespace {

std::string bytes_of_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc).write(bytes.data(), std::streamsize(bytes.size()));
}

using edit = std::function<void(json&)>;

/// A folder that can be damaged over and over.
class folder {
public:
  explicit folder(const tiny_model_options& options = {}, uint32_t shards = 1)
      : path_(write_tiny_folder(options, shards)) {}

  const std::filesystem::path& path() const { return path_; }
  std::string read(const std::string& name) const { return bytes_of_file(path_ / name); }
  void write(const std::string& name, const std::string& bytes) const { write_file(path_ / name, bytes); }

  void change(const std::string& name, const edit& change_it) const {
    json content = json::parse(read(name));
    change_it(content);
    write(name, content.dump());
  }

  /// What opening says with this change; the file is as before afterwards.
  std::string error_with(const std::string& name, const edit& change_it) const {
    const std::string before = read(name);
    change(name, change_it);
    const std::string text = error();
    write(name, before);
    return text;
  }

  /// Empty when it opens.
  std::string error() const {
    try {
      require_consistent(*open_model(path_));
    } catch (const input_error& error) {
      return error.what();
    }
    return "";
  }

private:
  std::filesystem::path path_;
};

/// A member and the value it gets.
edit set(const std::string& pointer, const json& value) {
  return [=](json& content) { content[json::json_pointer(pointer)] = value; };
}
edit without(const std::string& name) {
  return [=](json& content) { content.erase(name); };
}

std::vector<float> logits_of(const std::filesystem::path& path) {
  std::vector<uint32_t> tokens;
  for (uint32_t i = 0; i < 12; ++i) tokens.push_back(7 + i * 17);
  return reference_model{make_parts(open_model(path), {.shards = 2})}.forward(tokens);
}

double relative_error(const std::vector<float>& actual, const std::vector<float>& expected) {
  REQUIRE(actual.size() == expected.size());
  double squares = 0, all = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    squares += std::pow(double(actual[i]) - expected[i], 2);
    all += std::pow(double(expected[i]), 2);
  }
  return std::sqrt(squares / all);
}

const std::vector<std::string> architectures{"llama", "qwen2", "qwen3", "gpt2"};

} // namespace

TEST_CASE("a folder gives the logits of the GGUF file with the same weights") {
  const auto architecture = GENERATE(from_range(architectures));
  const auto type = GENERATE(tensor_type::f32, tensor_type::f16, tensor_type::bf16);
  const bool tied = GENERATE(false, true);
  INFO(architecture << " " << traits_of(type).name << (tied ? " tied" : ""));
  const tiny_model_options options{.architecture = architecture, .type = type, .tied = tied};
  const auto by_folder = logits_of(write_tiny_folder(options, tied ? 3 : 1)),
             by_file = logits_of(write_tiny_model(options));
  // A llama's heads are in another order in the two: sums round differently.
  if (architecture == "llama") {
    CHECK(relative_error(by_folder, by_file) < 1e-5);
  } else {
    CHECK(by_folder == by_file);
  }
}

TEST_CASE("a llama folder with biases everywhere gives the logits of its GGUF file") {
  const tiny_model_options options{.with_biases = true};
  CHECK(relative_error(logits_of(write_tiny_folder(options)), logits_of(write_tiny_model(options))) < 1e-5);
}

TEST_CASE("a folder has the facts of the GGUF file with the same weights") {
  const auto architecture = GENERATE(from_range(architectures));
  const tiny_model_options options{.architecture = architecture, .type = tensor_type::bf16};
  const auto by_folder = open_model(write_tiny_folder(options, 2)),
             by_file = open_model(write_tiny_model(options));
  CHECK(by_folder->parameters == by_file->parameters);
  CHECK(by_folder->tensor_types == by_file->tensor_types);
  CHECK(by_folder->files.size() == 2);
  CHECK(by_folder->spec.architecture == architecture);
  CHECK(by_folder->spec.context_length == by_file->spec.context_length);
  CHECK(by_folder->words.kinds == by_file->words.kinds);
  CHECK(by_folder->words.end_of_generation == by_file->words.end_of_generation);
  const auto text = "once upon a time, the  and\n\xc3\xa9";
  CHECK(make_tokenizer(by_folder->words)->encode(text) == make_tokenizer(by_file->words)->encode(text));
}

TEST_CASE("config.json and a model's safetensors file open their folder, other files do not") {
  const folder model({}, 2);
  CHECK_NOTHROW(open_model(model.path() / "config.json"));
  CHECK_NOTHROW(open_model(model.path() / "model-2.safetensors"));
  CHECK_NOTHROW(open_model(model.path() / ""));
  std::filesystem::copy_file(model.path() / "model-2.safetensors", model.path() / "other.safetensors");
  CHECK_THROWS_WITH(open_model(model.path() / "other.safetensors"),
                    ContainsSubstring("is not part of the model"));
}

TEST_CASE("both forms of rotary configuration are read") {
  const folder model;
  const auto rope = [&](const edit& change_it) {
    const std::string before = model.read("config.json");
    model.change("config.json", [&](json& config) {
      config.erase("rope_theta");
      config.erase("rope_scaling");
      change_it(config);
    });
    const auto spec = open_model(model.path())->spec.layers[0].attention.rope;
    model.write("config.json", before);
    return spec;
  };
  const json llama3{{"rope_type", "llama3"},
                    {"factor", 8.0},
                    {"low_freq_factor", 1.0},
                    {"high_freq_factor", 4.0},
                    {"original_max_position_embeddings", 64}};
  CHECK(rope([](json&) {}).base == 10000.0f);
  CHECK(rope(set("/rope_theta", 5000)).base == 5000.0f);
  CHECK(rope(set("/rope_parameters", {{"rope_theta", 5000.0}, {"rope_type", "default"}})).base == 5000.0f);
  CHECK(rope(set("/rope_scaling", {{"type", "linear"}, {"factor", 4}})).scaling_factor == 4.0f);
  CHECK(rope(set("/rope_parameters", {{"rope_type", "linear"}, {"factor", 4}})).scaling_factor == 4.0f);
  CHECK(rope(set("/rope_scaling", llama3)).kind == rope_kind::half_split);

  // The formula as transformers writes it, by wave lengths.
  const auto scaled = rope([&](json& config) {
    config["rope_theta"] = 10000.0;
    config["rope_scaling"] = llama3;
  });
  REQUIRE(scaled.factors.size() == scaled.dimensions / 2);
  int kept = 0, stretched = 0, between = 0;
  for (uint32_t i = 0; i < scaled.dimensions / 2; ++i) {
    const double frequency = std::pow(10000.0, -2.0 * i / scaled.dimensions),
                 wave = 2 * std::numbers::pi / frequency;
    double expected = frequency;
    if (wave > 64 / 1.0) {
      expected = frequency / 8, ++stretched;
    } else if (wave >= 64 / 4.0) {
      const double smooth = (64 / wave - 1.0) / (4.0 - 1.0);
      expected = (1 - smooth) * frequency / 8 + smooth * frequency, ++between;
    } else {
      ++kept;
    }
    CHECK(frequency / scaled.factors[i] == Approx(expected).epsilon(1e-6));
  }
  CHECK((kept > 0 && stretched > 0 && between > 0));
}

TEST_CASE("YaRN's frequencies and magnitude are those of transformers") {
  struct figures {
    json scaling;
    std::vector<double> frequencies;
    double magnitude;
    uint32_t context;
  };
  // inv_freq and attention_factor of transformers 5.12.1, for heads of 16 and 128 positions.
  const std::vector<double> four{1.0, 0.316227764, 0.100000001, 0.025693506, 0.00624999963, 0.00138349656, 0.000250000012, 7.90569466e-05};
  const figures all[] = {
      {{{"factor", 4.0}, {"original_max_position_embeddings", 4096}}, four, 1.13862944, 16384},
      {{{"factor", 4.0}, {"original_max_position_embeddings", 4096}, {"attention_factor", 0.75}}, four, 0.75, 16384},
      {{{"factor", 40.0}, {"original_max_position_embeddings", 4096}, {"mscale", 1.0}, {"mscale_all_dim", 0.5}},
       {1.0, 0.316227764, 0.100000001, 0.0239147246, 0.00512499968, 0.000849862176, 2.49999994e-05, 7.90569447e-06},
       1.15572199,
       163840},
      {{{"factor", 8.0}, {"original_max_position_embeddings", 1000}, {"beta_fast", 16.0}, {"beta_slow", 2.0}, {"truncate", false}},
       {1.0, 0.316227764, 0.0997771695, 0.0162327252, 0.00124999997, 0.000395284733, 0.000125000006, 3.95284733e-05},
       1.20794415,
       8000},
      {json::object({{"factor", 2.0}}),
       {1.0, 0.263523132, 0.0666666627, 0.0158113893, 0.00499999989, 0.00158113893, 0.000500000024, 0.000158113893},
       1.06931472,
       256}};
  for (const auto& [scaling, frequencies, magnitude, context] : all) {
    const folder model;
    model.change("config.json", [&](json& config) {
      config["rope_theta"] = 10000.0;
      config["rope_scaling"] = scaling;
      config["rope_scaling"]["rope_type"] = "yarn";
    });
    INFO(scaling.dump());
    const auto spec = open_model(model.path())->spec;
    CHECK(spec.context_length == context);
    std::vector<float> turn;
    rope_table(spec.layers[0].attention.rope, 10).turn_at(1, turn);
    REQUIRE(turn.size() == 2 * frequencies.size());
    for (size_t pair = 0; pair < frequencies.size(); ++pair) {
      const double cosine = turn[pair], sine = turn[frequencies.size() + pair];
      CHECK(std::atan2(sine, cosine) == Approx(frequencies[pair]).epsilon(1e-5));
      CHECK(std::hypot(sine, cosine) == Approx(magnitude).epsilon(1e-6));
    }
  }
}

TEST_CASE("configuration that changes the maths and is not supported is refused by name") {
  struct unsupported {
    std::string architecture, key;
    json value;
  };
  const unsupported all[] = {
      {"qwen2", "use_sliding_window", true},
      {"llama", "sliding_window", 4096},
      {"qwen3", "layer_types", {"full_attention", "sliding_attention"}},
      {"llama", "hidden_act", "gelu"},
      {"gpt2", "activation_function", "relu"},
      {"llama", "rope_scaling", {{"type", "dynamic"}, {"factor", 4}}},
      {"llama", "rope_scaling", {{"type", "linear"}, {"factor", 4}, {"attention_factor", 2}}},
      {"llama", "rope_parameters", {{"rope_type", "default"}, {"partial_rotary_factor", 0.5}}},
      {"llama", "rope_parameters", {{"rope_type", "longrope"}}},
      {"llama", "rope_scaling", {{"type", "yarn"}, {"factor", 4}, {"low_freq_factor", 1}}},
      {"llama", "quantization_config", {{"quant_method", "gptq"}}},
      {"llama", "partial_rotary_factor", 0.5},
      {"qwen2", "num_experts", 8},
      {"gpt2", "add_cross_attention", true},
      {"gpt2", "scale_attn_weights", false},
      {"gpt2", "scale_attn_by_inverse_layer_idx", true},
      {"llama", "architectures", {"LlamaForSequenceClassification"}},
      {"llama", "model_type", "mamba"},
  };
  for (const auto& one : all) {
    INFO(one.architecture << " " << one.key << " " << one.value.dump());
    const folder model({.architecture = one.architecture});
    REQUIRE(model.error() == "");
    const std::string error = model.error_with("config.json", set("/" + one.key, one.value));
    CHECK_THAT(error, ContainsSubstring((model.path() / "config.json").string() + ": " + one.key));
  }
}

TEST_CASE("configuration that only matters elsewhere changes nothing") {
  const folder model({.architecture = "qwen2"});
  const auto before = logits_of(model.path());
  model.change("config.json", [](json& config) {
    config.update(json{{"use_sliding_window", false},
                       {"sliding_window", 4096},
                       {"max_window_layers", 1},
                       {"attention_dropout", 0.5},
                       {"dtype", "float16"},
                       {"torch_dtype", "float16"},
                       {"use_cache", false},
                       {"transformers_version", "9"},
                       {"quantization_config", nullptr},
                       {"pad_token_id", -1},
                       {"layer_types", {"full_attention", "full_attention"}}});
  });
  CHECK(logits_of(model.path()) == before);
}

TEST_CASE("a damaged configuration is refused with its place") {
  struct damage {
    edit change;
    std::string place, reason;
  };
  const damage all[] = {
      {without("hidden_size"), "hidden_size", "missing"},
      {without("model_type"), "model_type", "missing"},
      {without("rms_norm_eps"), "rms_norm_eps", "missing"},
      {without("tie_word_embeddings"), "", ""}, // Its default is that of the family.
      {set("/hidden_size", "64"), "hidden_size", "wanted an integer"},
      {set("/hidden_size", -64), "hidden_size", "wanted an integer"},
      {set("/hidden_size", 64.5), "hidden_size", "wanted an integer"},
      {set("/hidden_size", uint64_t(1) << 63), "hidden_size", "wanted an integer from"},
      {set("/hidden_size", json::array({64})), "hidden_size", "found an array"},
      {set("/num_hidden_layers", 2048), "num_hidden_layers", "only"},
      {set("/num_hidden_layers", 0), "num_hidden_layers", "from 1"},
      {set("/num_attention_heads", 3), "num_key_value_heads", "evenly"},
      {set("/num_attention_heads", 0), "num_attention_heads", "from 1"},
      {set("/max_position_embeddings", 1e300), "max_position_embeddings", "wanted an integer"},
      {set("/rms_norm_eps", -1), "rms_norm_eps", "wanted a number"},
      {set("/rms_norm_eps", "tiny"), "rms_norm_eps", "wanted a number"},
      {set("/rope_theta", 1e300), "rope_theta", "wanted a number"},
      {set("/rope_scaling", 7), "rope_scaling", "wanted an object"},
      {set("/rope_scaling", {{"type", "linear"}}), "rope_scaling.factor", "missing"},
      {set("/rope_scaling", {{"type", "linear"}, {"factor", 0}}), "rope_scaling.factor", "wanted a number"},
      {set("/tie_word_embeddings", 1), "tie_word_embeddings", "wanted true or false"},
      {set("/vocab_size", 321), "vocab_size", "has 320 rows"},
      {set("/architectures", json::array({7})), "architectures[0]", "wanted a string"},
      {set("/head_dim", 32), "tensor \"model.layers.0.self_attn", "wanted [128, 64], found [64, 64]"},
      {set("/num_hidden_layers", 1), "tensor \"model.layers.1", "not part of this architecture"},
      {set("/tie_word_embeddings", true), "tensor \"lm_head.weight\"", "it is not"},
      {set("/attention_bias", true), "tensor \"model.layers.0.self_attn.q_proj.bias\"", "is missing"},
  };
  const folder model;
  for (const auto& one : all) {
    const std::string error = model.error_with("config.json", one.change);
    INFO(one.place << " | " << error);
    if (one.place.empty()) {
      CHECK(error == "");
      continue;
    }
    CHECK(error.starts_with(model.path().string()));
    CHECK_THAT(error, ContainsSubstring(": " + one.place));
    CHECK_THAT(error, ContainsSubstring(one.reason));
  }
  for (const std::string text : {"", "[]", "{", "null", "{\"a\":1,\"a\":2}", "\xff", "{\"a\":1e999}"}) {
    INFO(text);
    model.write("config.json", text);
    CHECK_THAT(model.error(), ContainsSubstring("config.json: the file: "));
  }
  model.write("config.json", "{\"a\":" + std::string(100000, '[') + std::string(100000, ']') + "}");
  CHECK_THAT(model.error(), ContainsSubstring("nested too deeply"));
}

TEST_CASE("files that do not fit together are refused") {
  const folder model({}, 2);
  const std::string index = "model.safetensors.index.json";
  const auto with = [&](const edit& change_it) { return model.error_with(index, change_it); };
  const json map = json::parse(model.read(index)).at("weight_map");
  const std::string tensor = map.begin().key();
  for (const std::string name : {"../model-1.safetensors", "/etc/passwd", "x/model-1.safetensors", "model-1",
                                 "..", "", "config.json"}) {
    INFO(name);
    CHECK_THAT(
        with([&](json& content) { content["weight_map"][tensor] = name; }),
        ContainsSubstring(index + ": weight_map." + tensor + ": wanted the name of a .safetensors file"));
  }
  CHECK_THAT(with([&](json& content) { content["weight_map"][tensor] = "missing.safetensors"; }),
             ContainsSubstring("missing.safetensors: cannot open the file"));
  CHECK_THAT(with([&](json& content) { content["weight_map"]["nobody"] = "model-1.safetensors"; }),
             ContainsSubstring("weight_map.nobody: the tensor is not in"));
  CHECK_THAT(with([](json& content) { content["weight_map"] = 3; }),
             ContainsSubstring("weight_map: wanted an object"));
  CHECK_THAT(with([](json& content) { content["weight_map"] = json::object(); }),
             ContainsSubstring("names no tensor"));
  CHECK_THAT(with([](json& content) { content.erase("weight_map"); }),
             ContainsSubstring("\"weight_map\" is missing"));

  const std::string first = model.read("model-1.safetensors");
  model.write("model-1.safetensors", model.read("model-2.safetensors"));
  CHECK_THAT(model.error(), ContainsSubstring("is not in \"model-1.safetensors\""));
  std::filesystem::remove(model.path() / "model-1.safetensors");
  CHECK_THAT(model.error(), ContainsSubstring("model-1.safetensors: cannot open the file"));
  model.write("model-1.safetensors", first);
  CHECK(model.error() == "");
  std::filesystem::remove(model.path() / index);
  CHECK_THAT(model.error(), ContainsSubstring("has neither model.safetensors nor"));
  std::filesystem::remove(model.path() / "config.json");
  CHECK_THAT(model.error(), ContainsSubstring("config.json: cannot open the file"));
}

TEST_CASE("a tensor in two files, of another type or beyond its file is refused with its file") {
  const folder model({}, 2);
  const auto with_header = [&](const std::string& name, const edit& change_it) {
    const std::string before = model.read(name);
    uint64_t length = 0;
    std::copy_n(before.begin(), 8, reinterpret_cast<char*>(&length));
    json header = json::parse(before.substr(8, length));
    change_it(header);
    const std::string text = header.dump();
    const uint64_t now = text.size();
    model.write(name, std::string(reinterpret_cast<const char*>(&now), 8) + text + before.substr(8 + length));
    const std::string error = model.error();
    model.write(name, before);
    return error;
  };
  const std::string norm = "model.layers.0.input_layernorm.weight";
  const json map = json::parse(model.read("model.safetensors.index.json")).at("weight_map");
  const std::string file = map.at(norm).get<std::string>();
  CHECK_THAT(with_header(file, set("/" + norm + "/dtype", "I32")),
             ContainsSubstring(file + ": tensor \"" + norm + "\": its type I32 is not supported"));
  CHECK_THAT(with_header(file, set("/" + norm + "/shape", {32, 2})),
             ContainsSubstring("wanted [1, 64], found [32, 2]"));
  CHECK_THAT(with_header(file, set("/" + norm + "/shape", {0, uint64_t(1) << 63, uint64_t(1) << 63})),
             ContainsSubstring(file + ": tensor"));
  CHECK_THAT(with_header(file, set("/" + norm + "/data_offsets", {0, uint64_t(1) << 62})),
             ContainsSubstring("are not within the"));

  const std::string other = file == "model-1.safetensors" ? "model-2.safetensors" : "model-1.safetensors";
  const std::string renamed = [&] {
    for (const auto& [name, where] : map.items()) {
      if (where == other) return name;
    }
    return std::string();
  }();
  CHECK_THAT(with_header(file, [&](json& header) { header[renamed] = header[norm], header.erase(norm); }),
             ContainsSubstring("is not in"));
  model.change("model.safetensors.index.json", [&](json& content) { content["weight_map"].erase(norm); });
  CHECK_THAT(with_header(file, [&](json& header) { header[renamed] = header[norm], header.erase(norm); }),
             ContainsSubstring("is in more than one file"));
}

TEST_CASE("constants that some versions stored and tied output matrices do not count as unknown tensors") {
  const folder model({.architecture = "gpt2", .tied = true});
  const std::string before = model.read("model.safetensors");
  uint64_t length = 0;
  std::copy_n(before.begin(), 8, reinterpret_cast<char*>(&length));
  json header = json::parse(before.substr(8, length));
  const auto embedding = header.at("transformer.wte.weight").at("data_offsets").get<std::vector<uint64_t>>();
  const uint64_t end = before.size() - 8 - length, size = embedding[1] - embedding[0];
  header["transformer.h.0.attn.bias"] = {
      {"dtype", "U8"}, {"shape", {1, 1, 2, 2}}, {"data_offsets", {end, end + 4}}};
  header["lm_head.weight"] = header.at("transformer.wte.weight");
  header["lm_head.weight"]["data_offsets"] = {end + 4, end + 4 + size};
  const std::string text = header.dump(), copy = before.substr(8 + length + embedding[0], size);
  const uint64_t now = text.size();
  model.write("model.safetensors", std::string(reinterpret_cast<const char*>(&now), 8) + text +
                                       before.substr(8 + length) + "\1\1\1\1" + copy);
  CHECK(model.error() == "");
}

TEST_CASE("folders with any file cut or with flipped bits end in a clear error or a consistent model") {
  const char* seed = std::getenv("TROUPE_SEED");
  raw_bits bits{seed == nullptr ? 1 : std::strtoull(seed, nullptr, 10)};
  INFO("reproduce with TROUPE_SEED=" << bits.state);
  size_t opened = 0, refused = 0;
  for (const auto& architecture : architectures) {
    const folder model({.architecture = architecture,
                        .layers = 1,
                        .width = 32,
                        .heads = 2,
                        .kv_heads = 1,
                        .feed_forward = 32,
                        .vocabulary = 280,
                        .context = 16},
                       2);
    const auto attempt = [&](const std::string& name, const std::string& bytes) {
      const std::string before = model.read(name);
      model.write(name, bytes);
      const allocation_count count;
      bool is_open = false;
      try {
        const auto opened_model = open_model(model.path());
        require_consistent(*opened_model);
        is_open = true;
        if (opened_model->words.kind != tokenizer_kind::none) {
          (void)make_tokenizer(opened_model->words)->encode("once upon a  time\n</s><|endoftext|>\xc3\xa9");
        }
      } catch (const input_error& error) {
        // What only the tokenizer can know has no file any more.
        if (!is_open) require(std::string(error.what()).starts_with(model.path().string()), error.what());
      }
      (is_open ? opened : refused) += 1;
      require(count.peak_bytes() <= (uint64_t(32) << 20), "too much was allocated");
      model.write(name, before);
    };
    for (const auto& entry : std::filesystem::directory_iterator(model.path())) {
      const std::string name = entry.path().filename().string(), whole = model.read(name);
      for (int i = 0; i < 40; ++i) attempt(name, whole.substr(0, bits.below(whole.size())));
      // Most of a safetensors file is weights: there the header is what matters.
      const uint64_t reach = name.ends_with(".safetensors") ? 2000 : whole.size();
      for (int i = 0; i < 200; ++i) {
        std::string damaged = whole;
        for (uint64_t k = 0; k <= bits.below(3); ++k) damaged[bits.below(reach)] ^= char(1 << bits.below(8));
        attempt(name, damaged);
      }
    }
  }
  // Both happen often, or this test tests nothing.
  CHECK(opened > 500);
  CHECK(refused > 500);
}
