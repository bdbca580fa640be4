// GGUF files against results of another implementation, in float64: gguf/ in the folder of references, see its
// README. Folders: hf_conformance_test.cpp.
#include "model/formats/safetensors.hpp"
#include "model/reference.hpp"
#include "support/catch.hpp"
#include "support/references.hpp"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <nlohmann/json.hpp>

using namespace troupe;

namespace {

std::vector<std::filesystem::path> shared_models() {
  const std::filesystem::path folder = testing::references() / "gguf";
  std::vector<std::filesystem::path> paths;
  if (std::filesystem::is_directory(folder))
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      if (entry.path().extension() == ".gguf") paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

bool is_quantised(const model_file& file) {
  return std::any_of(file.tensor_types.begin(), file.tensor_types.end(), [](const auto& entry) {
    const std::string& name = entry.first;
    return name != "F32" && name != "F16" && name != "BF16";
  });
}

/// What the README states for a model.
struct promise {
  double error_max;  // RMS of the difference / standard deviation of the expected values.
  double margin_min; // Greedy steps are compared until one was decided by less.
};
promise promise_for(const model_file& file) {
  return is_quantised(file) ? promise{2.5e-2, 0.5} : promise{1e-5, 0.02};
}

double relative_error(std::span<const float> actual, std::span<const float> expected) {
  REQUIRE(actual.size() == expected.size());
  REQUIRE_FALSE(expected.empty());
  double mean = 0;
  for (const float value : expected) mean += value / double(expected.size());
  double squares = 0, spread = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    squares += std::pow(double(actual[i]) - expected[i], 2);
    spread += std::pow(expected[i] - mean, 2);
  }
  return std::sqrt(squares / spread);
}

std::filesystem::path golden(const std::filesystem::path& model, const char* ending) {
  return std::filesystem::path(model).replace_extension(ending);
}

struct measured {
  double logits_error = 0, hidden_error = 0; // The worst of all cases; hidden states of all cases and layers.
  int hidden_states = 0;                     // Compared.
  int greedy_steps = 0;                      // Compared.
};

/// One prompt at once, against the recorded logits and, where there are any, hidden states.
void compare_prompt(reference_model& model, const safetensors_reader& file, const std::string& prefix,
                    std::span<const uint32_t> tokens, std::vector<float>& logits, measured& worst) {
  std::vector<std::vector<float>> hidden;
  logits = model.forward(tokens, &hidden);
  const double error = relative_error(logits, file.floats(prefix + "logits"));
  worst.logits_error = std::max(worst.logits_error, error);
  for (size_t i = 0; i < hidden.size(); ++i) {
    const std::string name = prefix + "hidden_states." + std::to_string(i);
    if (file.find(name) == nullptr) continue;
    worst.hidden_error = std::max(worst.hidden_error, relative_error(hidden[i], file.floats(name)));
    ++worst.hidden_states;
  }
}

/// Continues greedily from the prompt's last logits, as long as the recorded margins say that all must agree.
void compare_greedy(reference_model& model, const nlohmann::json& expected, std::vector<float> logits,
                    uint32_t vocabulary, double margin_min, measured& worst) {
  const auto tokens = expected.at("greedy").get<std::vector<uint32_t>>();
  const auto margins = expected.at("greedy_margin").get<std::vector<double>>();
  REQUIRE(tokens.size() == margins.size());
  for (size_t step = 0; step < tokens.size() && margins[step] >= margin_min; ++step) {
    INFO("greedy step " << step);
    const auto last = logits.end() - vocabulary;
    REQUIRE(uint32_t(std::max_element(last, logits.end()) - last) == tokens[step]);
    ++worst.greedy_steps;
    logits = model.forward({&tokens[step], 1});
  }
}

measured compare(const std::filesystem::path& path, const model_file& file,
                 std::shared_ptr<const model_parts> parts, const promise& promised) {
  const safetensors_reader tensors{golden(path, ".golden.safetensors")};
  std::ifstream text{golden(path, ".golden.json")};
  const auto cases = nlohmann::json::parse(text).at("cases");
  REQUIRE_FALSE(cases.empty());
  measured worst;
  for (size_t i = 0; i < cases.size(); ++i) {
    INFO("case " << i);
    const std::string prefix = "case" + std::to_string(i) + ".";
    const auto ids = tensors.integers(prefix + "input_ids");
    const std::vector<uint32_t> tokens(ids.begin(), ids.end());
    REQUIRE(tokens == cases[i].at("input_ids").get<std::vector<uint32_t>>());
    reference_model model{parts};
    std::vector<float> logits;
    compare_prompt(model, tensors, prefix, tokens, logits, worst);
    compare_greedy(model, cases[i], std::move(logits), file.spec.vocabulary, promised.margin_min, worst);
  }
  return worst;
}

} // namespace

TEST_CASE("published models give the recorded logits, hidden states and continuations", "[conformance]") {
  const auto paths = shared_models();
  if (paths.empty()) TROUPE_SKIP("no models in " + (testing::references() / "gguf").string());
  for (const auto& path : paths) DYNAMIC_SECTION(path.stem().string()) {
      const auto file = open_model(path);
      const promise promised = promise_for(*file);
      const measured worst = compare(path, *file, make_parts(file, {.shards = 2}), promised);
      std::cout << std::left << std::setw(18) << path.stem().string() << " logits off by " << std::setw(12)
                << worst.logits_error << " (at most " << promised.error_max << ")";
      if (worst.hidden_states > 0) std::cout << ", hidden states by " << worst.hidden_error;
      std::cout << ", " << worst.greedy_steps << " greedy steps agree\n";
      CHECK(worst.logits_error <= promised.error_max);
      CHECK(worst.hidden_error <= promised.error_max);
      CHECK(worst.greedy_steps > 0);
    }
}
