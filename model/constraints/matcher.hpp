#pragma once
// A constraint on its way through a text: which tokens may be next.
#include "model/constraints/automaton_states.hpp"
#include "model/constraints/token_index.hpp"
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace troupe {

/// How far a text has come. What it answers follows from the constraint and the text alone: after the same tokens every matcher, old
/// or new, says the same. It keeps what it has found out, so it belongs to one owner.
///
/// Time      a mask of 128,000 tokens: some microseconds where the same was asked before; where not, as long as a walk through the
///           tries takes: docs/constraints.md has the figures.
/// Memory    at most about 24 MB, however long the text; 48 MB while a mask is found.
class constraint_matcher {
public:
  constraint_matcher(std::shared_ptr<const automaton> constraint, std::shared_ptr<const token_index> tokens);

  /// The text goes on with a token. False, and nothing changes, if it may not. Throws input_error where the constraint costs too much:
  /// always at the same place of the same text.
  bool advance(uint32_t token);
  /// The same with bytes.
  bool advance(std::string_view bytes);
  /// The tokens that may be next. Those that end a text are none of them: they may come where may_end(). Valid until the next call.
  /// Throws input_error like advance().
  const token_mask& allowed();
  bool may_end() const { return states_.may_end(state_); }
  /// The text is complete, and nothing can follow.
  bool must_end() const { return may_end() && states_.is_last(state_); }

private:
  /// What a frame allows, whatever called it.
  struct frame_tokens {
    std::vector<const token_mask*> slices; // Of the index: all of these.
    std::vector<uint32_t> tokens; // Or, where they are many, `mask`.
    token_mask mask;
    std::vector<uint32_t> returns; // Nodes of the tries at which its rule may have ended.
    uint64_t cost = 0;
  };
  token_mask find_allowed();
  const frame_tokens& tokens_of(uint32_t frame);
  bool knows_slice(const token_index::slice& slice, uint32_t frame, frame_tokens& found);
  void walk(uint32_t begin, uint32_t end, uint32_t state, frame_tokens& found, bool notes_returns);
  size_t memory() const { return bytes_ + states_.bytes(); }
  void forget();

  std::shared_ptr<const token_index> index_;
  automaton_states states_;
  uint32_t state_ = 0;
  std::unordered_map<uint32_t, frame_tokens> frames_; // By frame.
  std::unordered_map<uint32_t, token_mask> masks_;    // By state.
  std::vector<uint32_t> path_;                        // Of a walk: the states after each byte.
  size_t bytes_ = 0;
};

} // namespace troupe
