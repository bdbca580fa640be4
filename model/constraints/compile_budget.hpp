#pragma once
// What compiling one constraint may cost.
#include "model/error.hpp"
#include <cstdint>

namespace troupe {

/// Every stage charges what it is about to do or to keep: a step takes at most about 50 ns and 25 bytes, so that whatever a text says, it
/// is compiled or refused within some tenths of a second and about 100 MB. What is charged follows from the text alone.
class compile_budget {
public:
  static constexpr uint64_t steps_max = 1 << 22; // A schema of 100 texts that may be left out takes 47,000.

  /// Throws input_error when it is used up.
  void charge(uint64_t steps) {
    if (steps > left_) throw input_error("the constraint is too large: it would take too much time and memory to compile");
    left_ -= steps;
  }

private:
  uint64_t left_ = steps_max;
};

} // namespace troupe
