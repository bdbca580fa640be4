#include "model/error.hpp"
#include "model/parts.hpp"

namespace troupe {

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
