#pragma once
// What a GGUF file's header holds, as gguf_parser reads it and gguf hands it out: views into the header.
#include "model/tensor.hpp"
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

namespace troupe {

/// Types of metadata values, as the format numbers them.
enum class gguf_type : uint32_t {
  uint8,
  int8,
  uint16,
  int16,
  uint32,
  int32,
  float32,
  boolean,
  string,
  array,
  uint64,
  int64,
  float64
};

/// An array as it is in the file: checked to be complete, decoded on demand.
struct gguf_array {
  gguf_type element = gguf_type::uint8;
  uint64_t count = 0;
  std::span<const std::byte> bytes;
};

/// All unsigned, signed and floating-point types widen to the largest of their kind.
using gguf_value = std::variant<uint64_t, int64_t, double, bool, std::string_view, gguf_array>;

struct gguf_entry {
  std::string_view key;
  gguf_type type = gguf_type::uint8;
  gguf_value value;
};

struct gguf_tensor {
  std::string_view name;
  tensor_type type = tensor_type::f32;
  uint64_t rows = 0;    // Product of the outer dimensions.
  uint64_t columns = 0; // The inner dimension.
  uint64_t offset = 0, bytes = 0; // Where in the file it is.
};

/// "a string", "an unsigned integer": for error texts.
std::string_view describe(gguf_type type);

} // namespace troupe
