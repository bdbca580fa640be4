#pragma once
#include <cstdint>

namespace troupe {

/// Admits the micro-batches of a step in their order, each once: a repetition is dropped, and so is what overtook another, because
/// gradients are added in the order of micro-batches. (What is missing then is noticed by the step's deadline.)
class order_gate {
public:
  bool admit(uint32_t micro_batch) {
    if (micro_batch != next_) return false;
    ++next_;
    return true;
  }

private:
  uint32_t next_ = 0;
};

} // namespace troupe
