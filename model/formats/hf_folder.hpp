#pragma once
// A model as Hugging Face publishes it: a folder with config.json and safetensors files, either
// model.safetensors or those that model.safetensors.index.json names. The tokenizer's files beside them:
// hf_vocabulary.hpp.
//
// The folder is not trusted: every file is checked by its reader, the index names plain files of this folder
// only, and every tensor is where the index says.
#include "model/formats/hf_source.hpp"
#include "model/formats/input_file.hpp"
#include "model/formats/safetensors.hpp"
#include <filesystem>
#include <memory>
#include <vector>

namespace troupe {

class hf_folder final : public hf_source {
public:
  /// Throws input_error naming the file, the place and the reason.
  explicit hf_folder(const std::filesystem::path& path);

  const std::filesystem::path& path() const override { return path_; }
  size_t tensor_count() const override { return tensors_.size(); }
  source_tensor tensor(size_t index) const override { return tensors_[index].tensor; }
  std::vector<std::shared_ptr<const input_file>> files() const override;

private:
  struct placed_tensor {
    source_tensor tensor;
    size_t file; // In files_.
  };

  const std::filesystem::path& path_of_tensor(std::string_view name) const override;
  void open_files();
  void add_tensors(size_t file);

  std::filesystem::path path_;
  std::vector<std::unique_ptr<const safetensors_reader>> files_;
  std::vector<placed_tensor> tensors_; // Sorted by name.
};

/// The folder that `path` means: itself, or the one it is in when it is the config.json or a .safetensors
/// file of a folder. Nothing: `path` is something else.
std::optional<std::filesystem::path> hf_folder_of(const std::filesystem::path& path);

} // namespace troupe
