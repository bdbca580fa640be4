#pragma once
// The compiled form of every constraint: a finite automaton over bytes for each rule of a grammar, with edges that call other rules.
#include "model/constraints/expression.hpp"
#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace troupe {

/// No text satisfies a constraint.
struct unsatisfiable : input_error {
  using input_error::input_error;
};

/// Immutable, to be shared. A text belongs to the language if it leads from the start of rule 0 to its end; a call leads through the
/// called rule from its start to its end, and then to the call's target. From every state that a text can lead to there is a way to
/// an end, so a text that is allowed so far can be completed. No rule calls itself before it has read a byte.
class automaton {
public:
  struct byte_edge {
    uint8_t first = 0, last = 0; // Classes of bytes, both included.
    uint32_t target = 0;
  };
  struct call {
    uint32_t rule = 0;
    uint32_t target = 0;
  };
  /// More than these are refused: a state takes about 30 bytes.
  static constexpr uint64_t states_max = 1 << 18;
  /// So many can be reached from one of them without a byte, as where many parts in a row may be left out.
  static constexpr size_t skipped_max = 1 << 12;

  /// Throws input_error for a grammar that is too large or left-recursive, and unsatisfiable.
  automaton(const constraint_grammar& grammar, compile_budget& budget);

  uint32_t start(uint32_t rule) const { return starts_[rule]; }
  std::span<const byte_edge> edges(uint32_t state) const { return of(edges_, edges_from_, state); }
  std::span<const call> calls(uint32_t state) const { return of(calls_, calls_from_, state); }
  /// States that are reached without a byte.
  std::span<const uint32_t> skips(uint32_t state) const { return of(skips_, skips_from_, state); }
  bool is_end(uint32_t state) const { return is_end_[state]; }
  /// Nothing but the end of the rule can follow, so that a call with this target need not come back to it.
  bool only_ends(uint32_t state) const { return only_ends_[state]; }

  /// Bytes that every edge takes alike are one class; classes are numbered in the order of their bytes.
  uint8_t class_of(uint8_t byte) const { return class_of_[byte]; }
  uint32_t classes() const { return classes_; }
  uint32_t states() const { return uint32_t(is_end_.size()); }

private:
  friend class automaton_builder;
  template <class T> static std::span<const T> of(const std::vector<T>& all, const std::vector<uint32_t>& from, uint32_t state) {
    return {all.data() + from[state], all.data() + from[state + 1]};
  }

  std::vector<uint32_t> starts_;
  std::vector<byte_edge> edges_;
  std::vector<call> calls_;
  std::vector<uint32_t> skips_;
  std::vector<uint32_t> edges_from_, calls_from_, skips_from_;
  std::vector<bool> is_end_, only_ends_;
  std::array<uint8_t, 256> class_of_{};
  uint32_t classes_ = 0;
};

} // namespace troupe
