#include "model/model_file.hpp"
#include "model/families/family.hpp"
#include "model/formats/gguf_vocabulary.hpp"
#include <map>

namespace troupe {
namespace {

void count_tensors(const gguf& file, model_file& model) {
  std::map<tensor_type, uint64_t> counts;
  for (const auto& tensor : file.tensors()) {
    ++counts[tensor.type];
    model.parameters +=
        tensor.rows * tensor.columns; // Tensors do not overlap, so the sum is bounded by the file.
  }
  for (const auto& [type, count] : counts) model.tensor_types.emplace_back(traits_of(type).name, count);
}

} // namespace

void model_file::release(const tensor_view& tensor) const {
  if (mapping) mapping->release(tensor.bytes);
}

std::shared_ptr<const model_file> open_model(const std::filesystem::path& path) {
  const auto mapping = std::make_shared<const mapped_file>(path);
  const gguf file(mapping);
  auto description = describe_model(file);

  auto model = std::make_shared<model_file>();
  model->path = path;
  model->spec = std::move(description.spec);
  model->tensors = std::move(description.tensors);
  model->words = read_vocabulary(file, model->spec.vocabulary);
  model->file_bytes = mapping->bytes().size();
  count_tensors(file, *model);
  model->mapping = mapping;
  return model;
}

} // namespace troupe
