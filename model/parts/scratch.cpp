#include "model/parts/scratch.hpp"
#include "model/error.hpp"

namespace troupe {

mutable_rows rows_in(std::vector<float>& buffer, uint32_t rows, uint32_t columns) {
  const uint64_t size = uint64_t(rows) * columns;
  if (buffer.size() < size) buffer.resize(size);
  return {buffer.data(), rows, columns, columns};
}

void product_input::assign(const_rows x) {
  rows_ = x;
  ready_[0] = ready_[1] = false;
}

const operand& product_input::as(operand_kind kind) {
  const auto index = static_cast<size_t>(kind);
  TROUPE_ASSERT(index < std::size(operands_));
  if (!ready_[index]) {
    operands_[index].assign(rows_, kind);
    ready_[index] = true;
  }
  return operands_[index];
}

} // namespace troupe
