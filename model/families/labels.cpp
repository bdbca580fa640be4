#include "model/families/labels.hpp"

namespace troupe {
namespace {

constexpr uint32_t labels_max = 1 << 16;

/// How many classes a model that begins is to have: as many as there are names, or "num_labels".
uint32_t count_labels(const hyperparameters& parameters) {
  uint32_t count = 0;
  while (count < labels_max && parameters.text({"", "id2label." + std::to_string(count)})) ++count;
  return parameters.count({"", "num_labels"}, {1, double(labels_max)}, count > 0 ? count : 2);
}

/// "id2label": {"0": "...", ...}, where it is there: a name for each class.
std::vector<std::string> read_labels(const hyperparameters& parameters, uint32_t count) {
  std::vector<std::string> labels;
  if (!parameters.has({"", "id2label"})) return labels;
  const auto wanted = "the head has " + std::to_string(count) + " classes";
  for (uint32_t i = 0; i < count; ++i) {
    const auto label = parameters.text({"", "id2label." + std::to_string(i)});
    if (!label) parameters.fail({"", "id2label"}, "has no name for class " + std::to_string(i) + ", and " + wanted);
    labels.emplace_back(*label);
  }
  if (parameters.has({"", "id2label." + std::to_string(count)}))
    parameters.fail({"", "id2label"}, "has a name for class " + std::to_string(count) + ", and " + wanted);
  return labels;
}

} // namespace

void read_classifier(const hyperparameters& parameters, tensor_lookup& tensors, const std::string& name, model_description& model) {
  const uint32_t width = model.spec.width;
  output_spec& output = model.spec.output;
  if (const published_name weight{"", name + ".weight"}; tensors.makes_tensors())
    model.tensors.output.weight = tensors.matrix(weight, count_labels(parameters), width);
  else model.tensors.output.weight = tensors.table(weight, labels_max, width);
  output.columns = uint32_t(model.tensors.output.weight.rows);
  model.tensors.output.bias = tensors.vector({"", name + ".bias"}, output.columns);
  output.labels = read_labels(parameters, output.columns);
}

} // namespace troupe
