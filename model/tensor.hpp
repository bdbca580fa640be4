#pragma once
// Tensors as files hold them: a type, a shape, and bytes that they do not own.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// Element formats, numbered as in GGUF files (ggml.h of llama.cpp). The quantised ones store blocks of elements that
/// share scales; a row always holds whole blocks.
enum class tensor_type : uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  bf16 = 30,
};

struct tensor_type_traits {
  tensor_type type;
  std::string_view name;   // As llama.cpp prints it: "Q4_K".
  uint32_t block_elements; // Elements per block; 1 for the plain types.
  uint32_t block_bytes;    // Bytes per block.
};

/// The traits of a type number read from a file; nullptr for a number this program does not know.
const tensor_type_traits* find_tensor_type(uint32_t number);
const tensor_type_traits& traits_of(tensor_type type);

/// A matrix (or a vector: one row) in the file's own format, row-major, little-endian. A view: `bytes` must outlive it. A tensor that is
/// still in its file is a stored_tensor (stored_tensor.hpp).
struct tensor_view {
  std::string name;
  tensor_type type = tensor_type::f32;
  uint64_t rows = 0;
  uint64_t columns = 0; // Elements per row; the inner, contiguous dimension.
  std::span<const std::byte> bytes;

  uint64_t row_bytes() const;
  /// Rows [first, first + count) of this matrix.
  tensor_view row_slice(uint64_t first, uint64_t count) const;
};

} // namespace troupe
