#include "model/formats/hf_folder.hpp"
#include "model/error.hpp"
#include "model/formats/byte_reader.hpp"
#include <algorithm>
#include <map>

namespace troupe {
namespace {

constexpr const char* single_file = "model.safetensors";
constexpr const char* index_file = "model.safetensors.index.json";
constexpr uint64_t config_bytes_max = 16 << 20;

source_tensor describe(const safetensors_tensor& tensor, std::shared_ptr<const byte_source> file) {
  source_tensor result{tensor.name, name_of(tensor.type), std::nullopt, 1, 1, file, tensor.offset, tensor.bytes};
  if (tensor.type == safetensors_type::float32) result.type = tensor_type::f32;
  if (tensor.type == safetensors_type::float16) result.type = tensor_type::f16;
  if (tensor.type == safetensors_type::bfloat16) result.type = tensor_type::bf16;
  if (tensor.shape.empty()) return result;
  result.columns = tensor.shape.back();
  // The reader has checked that the product of all dimensions fits; where one is 0, that of the others need
  // not.
  if (tensor.bytes == 0) {
    result.rows = 0;
  } else {
    for (size_t i = 0; i + 1 < tensor.shape.size(); ++i) result.rows *= tensor.shape[i];
  }
  return result;
}

/// A file of the folder itself: no path, so that an index cannot name what lies elsewhere.
bool is_plain_name(const std::string& name) {
  return name.ends_with(".safetensors") && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

std::filesystem::path without_slash(const std::filesystem::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

} // namespace

hf_folder::hf_folder(const std::filesystem::path& path)
    : hf_source(without_slash(path) / "config.json",
                read_text(without_slash(path) / "config.json", config_bytes_max)),
      path_(without_slash(path)) {
  open_files();
  std::sort(tensors_.begin(), tensors_.end(),
            [](const auto& a, const auto& b) { return a.tensor.name < b.tensor.name; });
  const auto twice = std::adjacent_find(tensors_.begin(), tensors_.end(), [](const auto& a, const auto& b) {
    return a.tensor.name == b.tensor.name;
  });
  if (twice != tensors_.end()) fail_tensor(twice->tensor.name, "is in more than one file");
}

void hf_folder::open_files() {
  std::error_code ignored;
  if (std::filesystem::exists(path_ / single_file, ignored)) {
    files_.push_back(std::make_unique<const safetensors_reader>(path_ / single_file));
    return add_tensors(0);
  }
  if (!std::filesystem::exists(path_ / index_file, ignored)) {
    throw input_error(path_.string() + ": the folder: has neither " + single_file + " nor " + index_file);
  }
  const json_file index(path_ / index_file, config_bytes_max);
  const json_node map = index.root().get("weight_map");
  std::map<std::string, size_t, std::less<>> numbers;
  for (const auto& entry : map.members()) {
    const json_node file = map.of(entry);
    if (!is_plain_name(file.text())) file.fail_kind("the name of a .safetensors file in this folder");
    const auto [at, is_new] = numbers.emplace(file.text(), files_.size());
    if (is_new) {
      files_.push_back(std::make_unique<const safetensors_reader>(path_ / file.text()));
      add_tensors(at->second);
    }
  }
  if (files_.empty()) map.fail("names no tensor");
  // Sorted names: a look-up for each entry stays cheap however many there are.
  std::vector<std::vector<std::string_view>> names(files_.size());
  for (const auto& placed : tensors_) names[placed.file].push_back(placed.tensor.name);
  for (auto& of_file : names) std::sort(of_file.begin(), of_file.end());
  for (const auto& entry : map.members()) {
    const auto& of_file = names[numbers.find(map.of(entry).text())->second];
    if (!std::binary_search(of_file.begin(), of_file.end(), std::string_view(entry.name))) {
      map.of(entry).fail("the tensor is not in " + in_quotes(map.of(entry).text()));
    }
  }
}

void hf_folder::add_tensors(size_t file) {
  for (const auto& tensor : files_[file]->tensors()) tensors_.push_back({describe(tensor, files_[file]->file()), file});
}

std::vector<std::shared_ptr<const input_file>> hf_folder::files() const {
  std::vector<std::shared_ptr<const input_file>> files;
  for (const auto& file : files_) files.push_back(file->file());
  return files;
}

const std::filesystem::path& hf_folder::path_of_tensor(std::string_view name) const {
  const auto found = find_index(name);
  return found ? files_[tensors_[*found].file]->file()->path() : path_;
}

std::optional<std::filesystem::path> hf_folder_of(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return path;
  if (path.filename() != "config.json" && path.extension() != ".safetensors") return std::nullopt;
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

} // namespace troupe
