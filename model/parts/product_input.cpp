#include "model/error.hpp"
#include "model/parts.hpp"

namespace troupe {

void product_input::assign(const_rows x, content_name name) {
  const bool is_same_memory = x.data == rows_.data && x.rows == rows_.rows && x.columns == rows_.columns && x.stride == rows_.stride;
  if (is_same_memory && name == name_ && name != content_name{}) return;
  rows_ = x;
  name_ = name;
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
