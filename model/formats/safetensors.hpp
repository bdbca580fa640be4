#pragma once
// safetensors, the tensor file of Hugging Face: a little-endian u64 with the header's length, the header as
// JSON (name -> dtype, shape, data_offsets), then all tensors' bytes without gaps. Used for models, logits,
// hidden states, golden results.
#include "model/formats/atomic_file.hpp"
#include "model/formats/input_file.hpp"
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

enum class safetensors_type : uint8_t {
  boolean,
  uint8,
  int8,
  float8_e4m3,
  float8_e5m2,
  uint16,
  int16,
  float16,
  bfloat16,
  uint32,
  int32,
  float32,
  uint64,
  int64,
  float64
};

std::string_view name_of(safetensors_type type); // As the format spells it: "F32".
uint32_t bytes_of(safetensors_type type);        // Of one element.

struct safetensors_tensor {
  std::string name;
  safetensors_type type = safetensors_type::float32;
  std::vector<uint64_t> shape;    // Outer dimension first; empty for a single number.
  uint64_t offset = 0, bytes = 0; // Where in the file it is.
  uint64_t elements() const { return bytes / bytes_of(type); }
};

/// Reads a file that is not trusted: sizes, offsets, overlaps and gaps are checked before any use, and the
/// header must fit into 16 MiB. All failures are input_error and name file, tensor and reason.
class safetensors_reader {
public:
  explicit safetensors_reader(const std::filesystem::path& path);

  const std::shared_ptr<const input_file>& file() const { return file_; } // What the tensors are in.
  const std::vector<safetensors_tensor>& tensors() const { return tensors_; } // In the order of their bytes.
  const safetensors_tensor* find(std::string_view name) const;                // nullptr where there is none.
  const safetensors_tensor& get(std::string_view name) const;

  /// All bytes, as they are in the file. Throws input_error.
  std::vector<std::byte> read(const safetensors_tensor& tensor) const;
  /// All elements, converted. Throws input_error when the tensor is missing or of another kind.
  std::vector<int64_t> integers(std::string_view name) const; // From any integer type, booleans as 0 and 1.
  std::vector<float> floats(std::string_view name) const;     // From F16, BF16, F32, F64.

  [[noreturn]] void fail(std::string_view place, std::string_view reason) const;

private:
  std::shared_ptr<const input_file> file_;
  std::vector<safetensors_tensor> tensors_;
};

/// What a file to be written will hold.
struct safetensors_plan {
  std::string name;
  safetensors_type type = safetensors_type::float32;
  std::vector<uint64_t> shape;
};

/// Writes a file front to back, so that results larger than memory can be written as they come: the plan
/// first, then the bytes of all tensors in its order, in pieces of any size. The file appears under its name
/// only at finish(), whole and on the disk: see atomic_file.
class safetensors_writer {
public:
  /// Throws input_error when a name comes twice, a size overflows, or the file cannot be made.
  /// metadata: texts by name, in the header's "__metadata__".
  safetensors_writer(std::filesystem::path path, const std::vector<safetensors_plan>& plan,
                     const std::map<std::string, std::string>& metadata = {});

  void write(std::span<const std::byte> bytes);
  void write(std::span<const float> values) { write(std::as_bytes(values)); }
  void write(std::span<const int64_t> values) { write(std::as_bytes(values)); }

  /// Asserts that everything planned has been written. Throws input_error when the system could not store it.
  void finish();

private:
  uint64_t remaining_ = 0;          // Bytes still to come.
  std::optional<atomic_file> file_; // From the constructor's end on.
};

} // namespace troupe
