#pragma once
// GGUF, the file format of llama.cpp's models (docs/gguf.md of ggml): metadata, tensor descriptions, tensor
// bytes.
//
// Layout, little-endian: "GGUF", version, tensor count, metadata count; the metadata as (key, type, value);
// the tensors as (name, dimensions with the inner one first, type, offset); then, at the next multiple of
// general.alignment, the data section that the offsets count from. Versions 2 and 3 are the same for us.
//
// The file is not trusted. Opening walks through all of the metadata and all tensor descriptions once and
// checks every count, length, offset and product before it is used; what is kept are views into the header,
// so memory grows with what the file really holds and never with a number that it only states. Of the tensors it reads nothing.
#include "model/formats/gguf_values.hpp"
#include "model/formats/input_file.hpp"
#include "model/formats/model_source.hpp"
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

class gguf final : public model_source {
public:
  /// Throws input_error naming the file, the place and the reason.
  explicit gguf(std::shared_ptr<const input_file> file);

  const std::shared_ptr<const input_file>& file() const { return file_; }
  uint32_t version() const { return version_; }
  uint64_t alignment() const { return alignment_; }
  const std::vector<gguf_entry>& entries() const { return entries_; }  // Sorted by key.
  const std::vector<gguf_tensor>& tensors() const { return tensors_; } // Sorted by name.

  /// nullptr where there is none.
  const gguf_entry* find(std::string_view key) const;
  const gguf_tensor* find_tensor(std::string_view name) const;

  publication published_as() const override { return publication::gguf; }
  const std::filesystem::path& path() const override { return file_->path(); }
  bool has(std::string_view key) const override { return find(key) != nullptr; }
  std::optional<uint64_t> find_unsigned(std::string_view key) const override;
  std::optional<double> find_number(std::string_view key) const override;
  std::optional<bool> find_bool(std::string_view key) const override;
  std::optional<std::string_view> find_string(std::string_view key) const override;
  const gguf_array* find_array(std::string_view key) const;
  size_t tensor_count() const override { return tensors_.size(); }
  source_tensor tensor(size_t index) const override;
  std::vector<std::shared_ptr<const input_file>> files() const override { return {file_}; }

  // The same, but the key must be there.
  uint64_t get_unsigned(std::string_view key) const;
  double get_number(std::string_view key) const;
  std::string_view get_string(std::string_view key) const;

  // Calls `take` with every element in order; input_error when the elements are of another kind.
  void for_each_string(std::string_view key, const gguf_array& array,
                       const std::function<void(std::string_view)>& take) const;
  void for_each_number(std::string_view key, const gguf_array& array,
                       const std::function<void(double)>& take) const;


private:
  void parse();
  const std::filesystem::path& path_of_keys() const override { return file_->path(); }
  const std::filesystem::path& path_of_tensor(std::string_view) const override { return file_->path(); }

  std::shared_ptr<const input_file> file_;
  std::vector<std::byte> header_; // The first bytes of the file: at least all but the tensors' own.
  uint32_t version_ = 0;
  uint64_t alignment_ = 32;
  std::vector<gguf_entry> entries_;
  std::vector<gguf_tensor> tensors_;
};

} // namespace troupe
