#pragma once
// Writing GGUF files; their layout: gguf.hpp.
#include "model/formats/atomic_file.hpp"
#include "model/tensor.hpp"
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// What comes before the tensors' data: metadata and descriptions, in the order in which they are added. Does not check whether they
/// are valid: tests also write files that are not.
class gguf_header {
public:
  uint32_t version = 3;

  virtual ~gguf_header() = default;

  void add_u32(std::string_view key, uint32_t value);
  void add_i32(std::string_view key, int32_t value);
  void add_u64(std::string_view key, uint64_t value);
  void add_f32(std::string_view key, float value);
  void add_bool(std::string_view key, bool value);
  void add_string(std::string_view key, std::string_view value);
  void add_strings(std::string_view key, const std::vector<std::string>& values);
  void add_floats(std::string_view key, const std::vector<float>& values);
  void add_ints(std::string_view key, const std::vector<int32_t>& values);
  /// Any value: its type's number and its bytes.
  void add_raw(std::string_view key, uint32_t type, std::string_view bytes);

  /// dimensions: the inner one first. offset: within the data section.
  void add_description(std::string_view name, const std::vector<uint64_t>& dimensions, uint32_t type, uint64_t offset);

  uint64_t tensors() const { return tensors_; }
  uint64_t entries() const { return entries_; }
  /// Up to the padding before the data.
  std::string header() const { return header(tensors_, entries_); }
  std::string header(uint64_t claimed_tensors, uint64_t claimed_entries) const;

protected:
  /// Whether a key or a tensor of this name is to be in the file.
  virtual bool wants(std::string_view) const { return true; }

private:
  std::string metadata_, descriptions_;
  uint64_t tensors_ = 0, entries_ = 0;
};

/// A tensor to be written.
struct gguf_plan {
  std::string name;
  tensor_type type = tensor_type::f32;
  std::vector<uint64_t> dimensions; // The inner one first: {columns, rows}, or {length} of a vector. Rows are whole blocks.
};

/// Writes a file front to back: the header first, then the bytes of all tensors in the plan's order, in pieces of any size. The file
/// appears under its name only at finish(), whole and on the disk: see atomic_file.
class gguf_writer {
public:
  static constexpr uint64_t alignment = 32; // Of the tensors' data; the format's default.

  /// metadata: without descriptions; those follow from the plan. Throws input_error when the file cannot be made.
  gguf_writer(const std::filesystem::path& path, gguf_header metadata, const std::vector<gguf_plan>& plan);

  /// Asserts that no more comes than was planned. Throws input_error when the system cannot store it.
  void write(std::span<const std::byte> bytes);
  /// Asserts that everything planned has been written.
  void finish();

private:
  atomic_file file_;
  std::vector<uint64_t> sizes_; // Bytes of each tensor.
  size_t at_ = 0;               // The tensor that is being written, with so many bytes as yet.
  uint64_t written_ = 0;
};

} // namespace troupe
