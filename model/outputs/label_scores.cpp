#include "model/outputs/label_scores.hpp"

#include "model/error.hpp"
#include "model/kernels/exponential.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

namespace troupe {
namespace {

/// 1 / (1 + e^-x)
std::vector<double> sigmoid(std::span<const float> logits) {
  std::vector<double> values;
  for (const float logit : logits) {
    const double small = exponential(logit < 0 ? double(logit) : -double(logit));
    values.push_back((logit < 0 ? small : 1.0) / (1 + small));
  }
  return values;
}

} // namespace

scoring scoring_of(const model_file& model) {
  const auto config = nlohmann::json::parse(model.config, nullptr, false);
  const auto found = config.is_object() ? config.find("problem_type") : config.end();
  const auto type = found != config.end() && found->is_string() ? found->get<std::string>() : "";
  if (type == "regression") return scoring::values;
  return type == "multi_label_classification" || model.spec.output.columns == 1 ? scoring::each_by_own : scoring::one_of_all;
}

std::vector<double> scores_of(std::span<const float> logits, scoring how) {
  switch (how) {
  case scoring::one_of_all: return softmax(logits);
  case scoring::each_by_own: return sigmoid(logits);
  case scoring::values: break;
  }
  return {logits.begin(), logits.end()};
}

std::vector<double> softmax(std::span<const float> logits) {
  TROUPE_ASSERT(!logits.empty());
  const double most = *std::ranges::max_element(logits);
  std::vector<double> values(logits.size());
  std::ranges::transform(logits, values.begin(), [&](float logit) { return exponential(logit - most); });
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  for (double& value : values) value /= sum;
  return values;
}

std::vector<std::string> labels_of(const output_spec& output) {
  auto names = output.labels;
  for (size_t i = names.size(); i < output.columns; ++i) names.push_back("LABEL_" + std::to_string(i));
  return names;
}

} // namespace troupe
