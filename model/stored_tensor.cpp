#include "model/stored_tensor.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <cstring>

namespace troupe {

void byte_memory::read(uint64_t offset, std::span<std::byte> out) const {
  TROUPE_ASSERT(offset <= bytes_.size() && out.size() <= bytes_.size() - offset);
  if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
}

uint64_t stored_tensor::row_bytes() const {
  return tensor_view{{}, type, rows, columns, {}}.row_bytes();
}

stored_tensor stored_tensor::row_slice(uint64_t first, uint64_t count) const {
  TROUPE_ASSERT(first <= rows);
  TROUPE_ASSERT(count <= rows - first);
  return {name, type, count, columns, from, offset + first * row_bytes()};
}

std::vector<std::byte> read_bytes(const stored_tensor& tensor) {
  std::vector<std::byte> bytes(tensor.bytes());
  tensor.from->read(tensor.offset, bytes);
  return bytes;
}

void for_each_piece(const stored_tensor& tensor, uint64_t rows_multiple,
                    const std::function<void(const tensor_view& piece, uint64_t first_row)>& take) {
  constexpr uint64_t piece_bytes = 256 << 10;
  const uint64_t each = tensor.row_bytes();
  const uint64_t step = std::max<uint64_t>(1, piece_bytes / std::max<uint64_t>(1, each * rows_multiple)) * rows_multiple;
  std::vector<std::byte> buffer(std::min(step, tensor.rows) * each);
  for (uint64_t first = 0; first < tensor.rows; first += step) {
    const uint64_t count = std::min(step, tensor.rows - first);
    const auto bytes = std::span(buffer).first(count * each);
    tensor.from->read(tensor.offset + first * each, bytes);
    take({tensor.name, tensor.type, count, tensor.columns, bytes}, first);
  }
}

} // namespace troupe
