// Goal: every published-looking file opens with the facts it states; every damaged one ends in a clear
// input_error. Oracle: the golden json files that other programs made, and, for damaged files, a check of
// everything later code relies on (shapes against the spec, bounds against the file).
#include "model/error.hpp"
#include "model/kernels/dequantize.hpp"
#include "model/model_file.hpp"
#include "support/catch.hpp"
#include "support/references.hpp"
#include "model/testing/tiny_model.hpp"
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

using namespace troupe;
using namespace troupe::testing;

namespace {

const std::filesystem::path shared = references() / "gguf";

} // namespace

TEST_CASE("every shared model opens, with the tensor types its golden file lists") {
  if (!std::filesystem::exists(shared)) TROUPE_SKIP("no " + shared.string());
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(shared)) {
    if (entry.path().extension() != ".gguf") continue;
    INFO(entry.path());
    const auto model = open_model(entry.path());
    std::ifstream text(std::filesystem::path(entry.path()).replace_extension(".golden.json"));
    const auto golden = nlohmann::json::parse(text);
    CHECK(model->spec.architecture == golden["architecture"].get<std::string>());
    std::map<std::string, uint64_t> found(model->tensor_types.begin(), model->tensor_types.end());
    CHECK(found == golden["tensor_types"].get<std::map<std::string, uint64_t>>());
    CHECK(model->file_bytes == std::filesystem::file_size(entry.path()));
    ++files;
  }
  CHECK(files >= 21);
}

TEST_CASE("tiny models of every family and type open") {
  const auto architecture = GENERATE(as<std::string>{}, "llama", "qwen2", "qwen3", "gpt2");
  const auto type = GENERATE(tensor_type::f32, tensor_type::f16, tensor_type::bf16, tensor_type::q8_0,
                             tensor_type::q4_0, tensor_type::q4_1, tensor_type::q5_0, tensor_type::q5_1,
                             tensor_type::q2_k, tensor_type::q3_k, tensor_type::q4_k, tensor_type::q5_k,
                             tensor_type::q6_k, tensor_type::iq4_nl, tensor_type::iq4_xs);
  INFO(architecture << " " << traits_of(type).name);
  tiny_model_options options{.architecture = architecture, .type = type};
  if (traits_of(type).block_elements == 256) {
    options.width = options.feed_forward = 256;
    options.head_dim = 64;
  }
  const auto model = open_model(write_tiny_model(options));
  CHECK(model->spec.layers.size() == 2);
  CHECK(model->words.pieces.size() == 320);
  const auto row = dequantize(model->tensors.layers[0].attention.query.weight);
  double sum = 0, squares = 0;
  for (const float x : row) sum += x, squares += double(x) * x;
  const double deviation = std::sqrt(squares / row.size());
  CHECK(std::abs(sum / row.size()) < 0.2 / std::sqrt(options.width));
  CHECK(deviation > 0.5 / std::sqrt(options.width));
  CHECK(deviation < 1.6 / std::sqrt(options.width));
}
