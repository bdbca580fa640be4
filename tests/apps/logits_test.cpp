#include "apps/encoder_models.hpp"
#include "apps/process.hpp"
#include "model/formats/safetensors.hpp"
#include "support/catch.hpp"
#include "model/testing/tiny_model.hpp"
#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <set>

using namespace troupe;
using namespace troupe::testing;

namespace {

template <class T>
std::span<const std::byte> bytes_of_all(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

/// A file with input_ids, and attention_mask where `mask` is not empty.
std::string write_input(const std::vector<uint64_t>& shape, const std::vector<int32_t>& ids,
                        const std::vector<uint8_t>& mask = {}) {
  const auto path = temporary_path(".safetensors");
  std::vector<safetensors_plan> plan{{"input_ids", safetensors_type::int32, shape}};
  if (!mask.empty()) plan.push_back({"attention_mask", safetensors_type::uint8, shape});
  safetensors_writer file{path, plan};
  file.write(bytes_of_all(ids));
  if (!mask.empty()) file.write(bytes_of_all(mask));
  file.finish();
  return path;
}

std::string bytes_of_file(const std::string& path) {
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<int32_t> some_ids(size_t count, uint64_t seed) {
  raw_bits bits{seed};
  std::vector<int32_t> ids(count);
  for (int32_t& id : ids) id = static_cast<int32_t>(bits.below(320));
  return ids;
}

/// Runs `troupe logits` and returns the output file's path.
std::string run_logits(const std::string& model, const std::string& input, std::vector<std::string> more) {
  const std::string output = temporary_path(".safetensors");
  std::vector<std::string> arguments{"logits", "-m", model, "--input", input, "--output", output};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const outcome result = run_troupe(arguments);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(result.out.empty());
  return output;
}

std::vector<float> values_at(const std::vector<float>& all, size_t first, size_t count) {
  return {all.begin() + static_cast<std::ptrdiff_t>(first), all.begin() + static_cast<std::ptrdiff_t>(first + count)};
}

} // namespace

TEST_CASE("the reference writes logits and hidden states in the documented shapes") {
  const std::string input = write_input({2, 7}, some_ids(14, 1));
  const safetensors_reader file{run_logits(write_tiny_model(), input, {"--reference", "--hidden-states"})};
  REQUIRE(file.tensors().size() == 4);
  CHECK(file.get("logits").shape == std::vector<uint64_t>{2, 7, 320});
  for (const char* name : {"hidden_states.0", "hidden_states.1", "hidden_states.2"}) {
    CHECK(file.get(name).shape == std::vector<uint64_t>{2, 7, 64});
  }
}

TEST_CASE("a single row of ids counts as a batch of one") {
  const safetensors_reader file{run_logits(write_tiny_model(), write_input({5}, some_ids(5, 2)), {"--reference"})};
  CHECK(file.get("logits").shape == std::vector<uint64_t>{1, 5, 320});
}

TEST_CASE("padding on either side changes no bit of the rest and gets zeros") {
  const auto run = GENERATE(std::string("--reference"), std::string("--quiet")); // The oracle, the actors.
  const std::string model = write_tiny_model();
  const std::vector<int32_t> ids = some_ids(4, 3);
  const safetensors_reader plain{run_logits(model, write_input({4}, ids), {run, "--hidden-states"})};
  const std::vector<int32_t> padded{ids[0], ids[1], ids[2], ids[3], 0, 0, -1, -1, ids[0], ids[1], ids[2], ids[3],
                                    9,      9,      9,      9,      9, 9};
  const std::vector<uint8_t> mask{1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0};
  const safetensors_reader file{run_logits(model, write_input({3, 6}, padded, mask), {run, "--hidden-states"})};
  for (const auto& [name, width] : {std::pair<const char*, size_t>{"logits", 320}, {"hidden_states.1", 64}}) {
    INFO(name);
    const auto expected = plain.floats(name);
    const auto all = file.floats(name);
    CHECK(values_at(all, 0, 4 * width) == expected);
    CHECK(values_at(all, 8 * width, 4 * width) == expected);
    CHECK(values_at(all, 4 * width, 4 * width) == std::vector<float>(4 * width));
    CHECK(values_at(all, 12 * width, 6 * width) == std::vector<float>(6 * width));
  }
}

TEST_CASE("actors and reference write the same bytes, for any threads, chunk and shards") {
  tiny_model_options options;
  options.architecture = GENERATE(std::string("llama"), std::string("gpt2"));
  const std::string model = write_tiny_model(options);
  const std::string input = write_input({3, 20}, some_ids(60, 4));
  const std::string oracle = bytes_of_file(run_logits(model, input, {"--reference", "--hidden-states"}));
  const std::vector<std::vector<std::string>> ways{
    {"--threads", "1"}, {"--threads", "2"}, {"--threads", "4", "--chunk", "7"}, {"--chunk", "1"}, {"--shards", "3"}};
  for (auto way : ways) {
    INFO(way[0] << " " << way[1]);
    way.push_back("--hidden-states");
    CHECK(bytes_of_file(run_logits(model, input, way)) == oracle);
  }
  CHECK(bytes_of_file(run_logits(model, input, {"--reference", "--hidden-states", "--chunk", "3"})) == oracle);
}

TEST_CASE("bad inputs of logits end with 3, name the place, and leave no file") {
  const std::string model = write_tiny_model();
  const std::vector<std::pair<std::string, std::string>> bad{
    {write_input({1, 3}, {1, 320, 2}), "320"},                              // Beyond the vocabulary.
    {write_input({1, 3}, {1, -7, 2}), "-7"},
    {write_input({1, 4}, {1, 2, 3, 4}, {1, 0, 1, 1}), "hole"},
    {write_input({1, 3}, {1, 2, 3}, {1, 1, 2}), "is 2"},
    {write_input({1, 1, 3}, {1, 2, 3}), "[batch, length]"},
    {write_input({0, 3}, {}), "input_ids: is empty"},
    {write_input({2, 0}, {}), "input_ids: is empty"},
    {write_input({1, 129}, std::vector<int32_t>(129, 1)), "context"},
    {write_temporary("not safetensors", ".safetensors"), "safetensors"},
    {"/nowhere/in.safetensors", "/nowhere/in.safetensors"},
  };
  for (const auto& [input, word] : bad) {
    INFO(word);
    const std::string output = temporary_path(".safetensors");
    const outcome result = run_troupe({"logits", "-m", model, "-i", input, "-o", output, "--reference"});
    INFO(result.err);
    CHECK(result.exit_code == 3);
    CHECK(result.err.find(word) != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(output));
  }
}

TEST_CASE("an output that cannot be written ends with 3 and its name") {
  const std::string input = write_input({3}, some_ids(3, 5));
  const outcome result
    = run_troupe({"logits", "-m", "no-such-model", "-i", input, "-o", "/nowhere/out.safetensors", "--reference"}); // Before it is loaded.
  CHECK(result.exit_code == 3);
  CHECK(result.err.find("/nowhere/out.safetensors") != std::string::npos);
}

namespace {

/// The input tensors of case "a" of a recorded model, under the names that `troupe logits` wants.
std::string recorded_input(const std::filesystem::path& folder) {
  const safetensors_reader golden(folder / "golden.safetensors");
  std::vector<safetensors_plan> plan;
  for (const char* name : {"input_ids", "attention_mask", "token_type_ids", "decoder_input_ids"})
    if (const auto* found = golden.find(std::string("a.") + name)) plan.push_back({name, safetensors_type::int64, found->shape});
  const auto path = temporary_path(".safetensors");
  safetensors_writer file{path, plan};
  for (const auto& one : plan) file.write(golden.integers("a." + one.name));
  file.finish();
  return path;
}

/// What the golden file calls a tensor of ours.
std::string golden_name(const std::string& ours) {
  const std::pair<const char*, const char*> beginnings[]{
    {"encoder_hidden_states.", "a.encoder.hidden."}, {"decoder_hidden_states.", "a.decoder.hidden."}, {"hidden_states.", "a.hidden."}};
  for (const auto& [beginning, golden] : beginnings)
    if (ours.starts_with(beginning)) return golden + ours.substr(std::string(beginning).size());
  return "a." + ours;
}

/// Where no padding is, the values are the recorded ones; where it is, they are 0. Returns how many were compared.
size_t compare_with_golden(const safetensors_reader& found, const safetensors_tensor& tensor, const safetensors_reader& golden,
                           double most) {
  const auto values = found.floats(tensor.name), wanted = golden.floats(golden_name(tensor.name));
  REQUIRE(values.size() == wanted.size());
  const bool is_of_target = tensor.name.starts_with("decoder_") || golden.find("a.decoder_input_ids") != nullptr;
  const bool has_padding = tensor.shape.size() > 1 && (!is_of_target || tensor.name.starts_with("encoder_")) &&
                           golden.get("a.attention_mask").shape[1] == tensor.shape[1];
  const auto mask = has_padding ? golden.integers("a.attention_mask") : std::vector<int64_t>(values.size(), 1);
  const size_t of_each = has_padding ? values.size() / mask.size() : 1;
  size_t compared = 0;
  double off = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const bool counts = mask[i / of_each] != 0;
    compared += counts;
    off = std::max(off, counts ? std::abs(double(values[i]) - wanted[i]) : std::abs(double(values[i])) * 1e9);
  }
  INFO(tensor.name);
  CHECK(off <= most);
  return compared;
}

} // namespace

TEST_CASE("logits of models with encoders are the recorded ones under Hugging Face's names, by actors and the reference", "[conformance]") {
  const std::string name = GENERATE(std::string("bert_mlm"), std::string("bert_seqcls"), std::string("distilbert_qa"), std::string("bart"),
                                    std::string("marian"), std::string("t5"), std::string("t5_v11"));
  const auto folder = recorded_model(name);
  if (folder.empty()) TROUPE_SKIP("no hf/" + name);
  const auto facts = golden_of(folder).at("tolerance");
  const safetensors_reader golden(folder / "golden.safetensors");
  const std::string input = recorded_input(folder);
  const auto actors = run_logits(folder.string(), input, {"--hidden-states", "--threads", "2", "--chunk", "7"});
  const safetensors_reader found{actors};
  INFO(name);
  std::set<std::string> names;
  for (const auto& tensor : found.tensors()) {
    names.insert(tensor.name);
    const bool is_result = tensor.name == "logits" || tensor.name == "start_logits" || tensor.name == "end_logits";
    const double most = is_result ? facts.at("atol").get<double>() : facts.at("hidden_states").at("atol").get<double>();
    CHECK(compare_with_golden(found, tensor, golden, most) > 0);
  }
  for (const auto& tensor : golden.tensors()) // All that were recorded, but for what other classes of the model give.
    if (tensor.name.starts_with("a.") && tensor.type == safetensors_type::float32 && tensor.name != "a.last_hidden_state" &&
        tensor.name != "a.pooler_output")
      CHECK(std::ranges::any_of(names, [&](const auto& ours) { return golden_name(ours) == tensor.name; }));
  CHECK(bytes_of_file(run_logits(folder.string(), input, {"--hidden-states", "--reference"})) == bytes_of_file(actors));
}

TEST_CASE("inputs that do not fit a model with an encoder end with 3 and say what is missing") {
  const auto refused = [](const std::string& model, const std::string& input) {
    const auto result = run_troupe({"logits", "-m", model, "--input", input, "--output", temporary_path(".safetensors")});
    CHECK(result.exit_code == 3);
    return result.err;
  };
  const std::string marian = write_tiny_encoder("MarianMTModel"), bert = write_tiny_encoder("BertModel");
  CHECK_THAT(refused(marian, write_input({2}, {1, 2})), ContainsSubstring("decoder_input_ids: are missing"));
  const auto path = temporary_path(".safetensors");
  safetensors_writer file{path, {{"input_ids", safetensors_type::int32, {1, 2}},
                                 {"token_type_ids", safetensors_type::int32, {1, 2}},
                                 {"decoder_input_ids", safetensors_type::int32, {1, 1}}}};
  for (const auto& values : {std::vector<int32_t>{1, 2}, {0, 2}, {1}}) file.write(bytes_of_all(values));
  file.finish();
  CHECK_THAT(refused(bert, path), ContainsSubstring("the model has no encoder"));
  CHECK_THAT(refused(marian, path), ContainsSubstring("has token type 2"));
}
