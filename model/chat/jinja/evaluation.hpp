#pragma once
// One rendering under way: where it is, and what it may still use.
#include "model/chat/jinja/limits.hpp"
#include <string>
#include <string_view>

namespace troupe::jinja {

class evaluation {
public:
  /// Throws input_error: the reason, and the line of the template that is being evaluated.
  [[noreturn]] void fail(std::string_view reason) const;

  /// Input_error when the rendering has taken too many steps.
  void spend(uint64_t steps) {
    if (steps > steps_left_) fail_for_steps();
    steps_left_ -= steps;
  }
  /// A text of so many bytes is looked through.
  void spend_search(uint64_t bytes) { spend(1 + bytes / 64); }
  /// To be called before the memory is taken. Input_error when the values made so far take too much.
  void make(uint64_t bytes) {
    if (bytes > bytes_left_) fail_for_memory();
    bytes_left_ -= bytes;
  }

  uint32_t line = 1;

private:
  friend class level;
  [[noreturn]] void fail_for_steps() const;
  [[noreturn]] void fail_for_memory() const;
  [[noreturn]] void fail_for_depth() const;

  uint64_t steps_left_ = steps_max;
  uint64_t bytes_left_ = made_bytes_max;
  uint32_t depth_ = 0;
};

/// One level of recursion, as long as it lives.
class level {
public:
  explicit level(evaluation& run) : run_(run) {
    if (run.depth_ >= evaluation_depth_max) run.fail_for_depth();
    ++run.depth_;
  }
  ~level() { --run_.depth_; }
  level(const level&) = delete;
  level& operator=(const level&) = delete;

private:
  evaluation& run_;
};

} // namespace troupe::jinja
