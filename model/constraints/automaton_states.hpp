#pragma once
// Where a text can be in an automaton, made deterministic as it is needed.
#include "model/constraints/automaton.hpp"
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace troupe {

/// Numbers for sets of places in an automaton, and what follows each of them. Everything here follows from the automaton; it is kept
/// only because it is asked for often. Belongs to one owner.
///
///   frame   a set of states of one rule: where the innermost call can be.
///   caller  where the calls outside of it go on: a state, and the caller of that; a linked list that shares its ends. 0: none, the
///           text ends where rule 0 does.
///   state   a set of (frame, caller), and whether the text may end. Every frame in it can read a byte.
class automaton_states {
public:
  struct place {
    uint32_t frame = 0, caller = 0;
    auto operator<=>(const place&) const = default;
  };

  /// A state from which no text goes on and that is no end.
  static constexpr uint32_t dead = 0;
  /// What would have more places, or more states in a frame, is dead: it costs too much to look at.
  static constexpr size_t places_max = 1024, frame_states_max = 1 << 14;

  explicit automaton_states(std::shared_ptr<const automaton> of);

  uint32_t start();
  uint32_t next(uint32_t state, uint8_t byte) {
    const uint32_t known = states_[state].next[automaton_->class_of(byte)];
    return known != unknown ? known : find_next(state, automaton_->class_of(byte));
  }
  bool may_end(uint32_t state) const { return states_[state].may_end; }
  /// Nothing can follow.
  bool is_last(uint32_t state) const { return states_[state].places.empty(); }
  std::span<const place> places(uint32_t state) const { return states_[state].places; }
  /// How much there is to look at for the next byte.
  uint32_t weight(uint32_t state) const { return states_[state].weight; }

  /// A frame alone, as if its rule were the whole text; what its calls may begin with is not part of it.
  uint32_t frame_alone(uint32_t frame);
  /// What follows when the innermost call ends here.
  uint32_t after_return(uint32_t caller);
  /// At least how many plain characters (token_index.hpp) in a row a frame reads, whichever they are; at most `most`.
  uint32_t plain_run(uint32_t frame, uint32_t most);

  /// About how much memory all this takes.
  size_t bytes() const { return bytes_; }
  /// Forgets everything but one state, whose new number it returns.
  uint32_t keep_only(uint32_t state);

private:
  static constexpr uint32_t unknown = ~uint32_t(0);

  struct frame_record {
    std::vector<uint32_t> members; // States with edges, with calls, or that are an end. Sorted.
    std::vector<automaton::call> calls;
    bool is_end = false;
    uint32_t edges = 0;            // Of all members.
    std::vector<uint32_t> next;    // By class; unknown, until asked for.
    std::vector<uint32_t> after_plain; // The frames after a plain character. Empty: not known, or not every one is read.
    uint8_t reads_plain = 2;       // 0, 1; 2: not known yet.
  };
  struct caller_record {
    uint32_t state = 0, outer = 0;
  };
  struct one_state {
    std::vector<place> places; // Sorted.
    bool may_end = false;
    uint32_t weight = 1;
    std::vector<uint32_t> next; // By class.
  };
  /// Places under construction.
  struct collection {
    std::vector<place> places, open;
    bool may_end = false, too_many = false;
  };

  uint32_t find_next(uint32_t state, uint8_t byte_class);
  uint32_t next_frame(uint32_t frame, uint8_t byte_class);
  uint32_t frame_of(uint32_t state);
  uint32_t add_frame(std::vector<uint32_t> states);
  uint32_t add_caller(uint32_t state, uint32_t outer);
  uint32_t add_state(std::vector<place> places, bool may_end);
  void add_place(collection& to, place one);
  void add_return(collection& to, uint32_t caller);
  uint32_t finish(collection& made);
  void find_plain(uint32_t frame);
  void reset();

  std::shared_ptr<const automaton> automaton_;
  std::vector<frame_record> frames_; // 0: the empty one.
  std::vector<caller_record> callers_; // 0: none.
  std::vector<one_state> states_; // 0: dead.
  std::unordered_multimap<uint64_t, uint32_t> frame_numbers_, state_numbers_; // By a hash of their content.
  std::unordered_map<uint64_t, uint32_t> caller_numbers_;
  std::unordered_map<uint32_t, uint32_t> frames_of_, returns_; // By state of the automaton; by caller.
  std::vector<uint32_t> marks_; // By state of the automaton: the last closure that has seen it.
  uint32_t mark_ = 0;
  size_t bytes_ = 0;
};

} // namespace troupe
