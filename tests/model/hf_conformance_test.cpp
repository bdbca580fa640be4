// Hugging Face folders against results of transformers: hf/ in the folder of references, see its README.
// Logits and hidden states are compared element by element with the tolerance that is stored beside them.
#include "model/formats/safetensors.hpp"
#include "model/reference.hpp"
#include "support/catch.hpp"
#include "support/references.hpp"
#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace troupe;

namespace {

/// The largest difference. Not a number counts as infinite.
double largest_difference(std::span<const float> actual, std::span<const float> expected) {
  REQUIRE(actual.size() == expected.size());
  REQUIRE_FALSE(expected.empty());
  double largest = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double difference = std::abs(double(actual[i]) - expected[i]);
    largest = difference >= 0 ? std::max(largest, difference) : INFINITY;
  }
  return largest;
}

struct tolerances {
  double logits, hidden;
};

/// Case a: one sequence, all hidden states.
void compare_sequence(const model_file& file, std::shared_ptr<const model_parts> parts,
                      const safetensors_reader& golden, const tolerances& allowed) {
  const auto ids = golden.integers("a.input_ids");
  reference_model model{std::move(parts)};
  std::vector<std::vector<float>> hidden;
  const auto logits = model.forward(std::vector<uint32_t>(ids.begin(), ids.end()), &hidden);
  const double off = largest_difference(logits, golden.floats("a.logits"));
  CHECK(off <= allowed.logits);
  double hidden_off = 0;
  int states = 0;
  for (size_t i = 0; i < hidden.size(); ++i) {
    const std::string name = "a.hidden." + std::to_string(i);
    if (golden.find(name) == nullptr) continue;
    hidden_off = std::max(hidden_off, largest_difference(hidden[i], golden.floats(name)));
    ++states;
  }
  CHECK(states == int(file.spec.layers.size()) + 1);
  CHECK(hidden_off <= allowed.hidden);
  std::cout << file.path.filename().string() << ": logits off by " << off << " (at most " << allowed.logits
            << "), hidden states by " << hidden_off << " (at most " << allowed.hidden << ")";
}

/// Case b: several sequences of different lengths; what is behind their ends does not count.
void compare_batch(std::shared_ptr<const model_parts> parts, const safetensors_reader& golden,
                   double allowed) {
  const auto& shape = golden.get("b.input_ids").shape;
  const auto ids = golden.integers("b.input_ids"), mask = golden.integers("b.attention_mask");
  const auto expected = golden.floats("b.logits");
  const size_t columns = shape.at(1), vocabulary = expected.size() / ids.size();
  for (size_t row = 0; row < shape.at(0); ++row) {
    std::vector<uint32_t> tokens;
    for (size_t i = 0; i < columns && mask[row * columns + i] != 0; ++i)
      tokens.push_back(uint32_t(ids[row * columns + i]));
    const auto logits = reference_model{parts}.forward(tokens);
    const auto of_row = std::span(expected).subspan(row * columns * vocabulary, tokens.size() * vocabulary);
    CHECK(largest_difference(logits, of_row) <= allowed);
  }
}

/// A step that was decided by less than twice the tolerance may go either way; after it nothing can be
/// compared.
int compare_greedy(std::shared_ptr<const model_parts> parts, const nlohmann::json& greedy,
                   uint32_t vocabulary, double tolerance) {
  const auto tokens = greedy.at("ids").get<std::vector<uint32_t>>();
  const auto margins = greedy.at("margins").get<std::vector<double>>();
  REQUIRE(tokens.size() == margins.size());
  reference_model model{std::move(parts)};
  auto logits = model.forward(greedy.at("prompt_ids").get<std::vector<uint32_t>>());
  int steps = 0;
  for (; size_t(steps) < tokens.size() && margins[steps] >= 2 * tolerance; ++steps) {
    INFO("greedy step " << steps);
    const auto last = logits.end() - vocabulary;
    REQUIRE(uint32_t(std::max_element(last, logits.end()) - last) == tokens[steps]);
    logits = model.forward({&tokens[steps], 1});
  }
  return steps;
}

} // namespace

TEST_CASE("folders give the recorded logits, hidden states and continuations", "[conformance]") {
  const auto folder = testing::references() / "hf";
  if (!std::filesystem::exists(folder)) TROUPE_SKIP("no " + folder.string());
  for (const std::string name : {"llama", "qwen2", "qwen3", "gpt2"}) DYNAMIC_SECTION(name) {
      const auto file = open_model(folder / name);
      const auto parts = make_parts(file, {.shards = 2});
      const safetensors_reader golden{folder / name / "golden.safetensors"};
      std::ifstream text(folder / name / "golden.json");
      const auto expected = nlohmann::json::parse(text);
      const auto& tolerance = expected.at("tolerance");
      const double logits = tolerance.at("atol").get<double>();
      compare_sequence(*file, parts, golden,
                       {logits, tolerance.at("hidden_states").at("atol").get<double>()});
      compare_batch(parts, golden, logits);
      const int steps = compare_greedy(parts, expected.at("greedy"), file->spec.vocabulary, logits);
      std::cout << ", " << steps << " greedy steps agree\n";
      CHECK(steps >= 64);
    }
}
