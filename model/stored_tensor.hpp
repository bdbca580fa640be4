#pragma once
// Tensors that are not in memory yet: where their bytes can be read, with every read checked.
#include "model/tensor.hpp"
#include <functional>
#include <memory>
#include <utility>

namespace troupe {

/// Bytes that can be read again and again, from any thread.
class byte_source {
public:
  virtual ~byte_source() = default;
  virtual std::string name() const = 0; // For errors.
  virtual uint64_t size() const = 0;
  /// Fills `out` with the bytes from `offset` on. Throws input_error, which names the file, when they are not there (any more) or the
  /// system cannot read them.
  virtual void read(uint64_t offset, std::span<std::byte> out) const = 0;
};

/// Those of weights that have no file of their own, or that a file stores another way round.
class byte_memory final : public byte_source {
public:
  explicit byte_memory(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
  std::string name() const override { return "memory"; }
  uint64_t size() const override { return bytes_.size(); }
  void read(uint64_t offset, std::span<std::byte> out) const override;
  std::span<std::byte> bytes() { return bytes_; }

private:
  std::vector<std::byte> bytes_;
};

/// A tensor_view whose bytes are still in their source: a model's tensors, before its parts are made. Shares its source.
struct stored_tensor {
  std::string name;
  tensor_type type = tensor_type::f32;
  uint64_t rows = 0;
  uint64_t columns = 0;                    // Elements per row; the inner, contiguous dimension.
  std::shared_ptr<const byte_source> from; // Null: a shape without content.
  uint64_t offset = 0;                     // Where in `from` it begins.

  uint64_t row_bytes() const;
  uint64_t bytes() const { return rows * row_bytes(); }
  /// Rows [first, first + count) of this matrix.
  stored_tensor row_slice(uint64_t first, uint64_t count) const;
  /// The same bytes of the same source.
  bool is_same_place(const stored_tensor& other) const { return from == other.from && offset == other.offset; }
};

/// All of its bytes.
std::vector<std::byte> read_bytes(const stored_tensor& tensor);

/// Reads a tensor from first to last in pieces of some hundred KiB, and hands out each, with its first row. A piece has a multiple of
/// `rows_multiple` rows, unless it is the last. So the bytes of a tensor are never all in memory at once, and go from the system's cache of
/// files through the processor's, not through memory, to what is made of them.
void for_each_piece(const stored_tensor& tensor, uint64_t rows_multiple,
                    const std::function<void(const tensor_view& piece, uint64_t first_row)>& take);

} // namespace troupe
