#pragma once
// Where a text can be in an automaton, made deterministic as it is needed.
#include "model/constraints/automaton.hpp"
#include "model/constraints/token_index.hpp"
#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <set>
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
  /// What would have more places, more states in a frame, or more calls within each other, throws input_error: it costs too much to look
  /// at.
  static constexpr size_t places_max = 1024, frame_states_max = 1 << 14;
  static constexpr uint32_t calls_max = 100'000;

  explicit automaton_states(std::shared_ptr<const automaton> of);

  uint32_t start();
  uint32_t next(uint32_t state, uint8_t byte) {
    const uint32_t known = next_[size_t(state) * classes_ + automaton_->class_of(byte)];
    return known != unknown ? known : find_next(state, automaton_->class_of(byte));
  }
  bool may_end(uint32_t state) const { return weights_[state] & 1; }
  /// Nothing can follow.
  bool is_last(uint32_t state) const { return states_[state].places.empty(); }
  std::span<const place> places(uint32_t state) const { return states_[state].places; }
  /// How much there is to look at for the next byte.
  uint32_t weight(uint32_t state) const { return weights_[state] >> 1; }

  /// A frame alone, as if its rule were the whole text; what its calls may begin with is not part of it.
  uint32_t frame_alone(uint32_t frame);
  /// What follows when the innermost call ends here.
  uint32_t after_return(uint32_t caller);
  /// How many characters of a class in a row a frame reads, whichever they are: at least `count`, and if it is exact no more.
  struct run {
    uint32_t count = 0;
    bool is_exact = false;
  };
  /// Looks no further than `most`. A run is not exact where the frame's rule may have ended within it, or a call begun.
  run run_of(uint32_t frame, character_class of, uint32_t most);
  /// The same for a space, and then characters of a class.
  run run_after_space(uint32_t frame, character_class of, uint32_t most);

  /// About how much memory all this takes.
  size_t bytes() const { return bytes_; }
  /// Forgets everything but one state, whose new number it returns.
  uint32_t keep_only(uint32_t state);

private:
  static constexpr uint32_t unknown = ~uint32_t(0);

  /// What a frame does with characters of a class.
  enum class reads : uint8_t { not_known, all, some, none };
  struct class_reading {
    reads what = reads::not_known;
    std::vector<uint32_t> after; // `all`: the frames after one of them.
  };
  struct frame_record {
    std::vector<uint32_t> members; // States with edges, with calls, or that are an end. Sorted.
    std::vector<automaton::call> calls;
    bool is_end = false;
    uint32_t edges = 0;            // Of all members.
    std::vector<uint32_t> next;    // By class; unknown, until asked for.
    std::array<class_reading, character_classes> readings{};
  };
  struct caller_record {
    uint32_t state = 0, outer = 0, depth = 0;
  };
  struct one_state {
    std::vector<place> places; // Sorted.
    bool may_end = false;
  };
  /// Places under construction.
  struct collection {
    std::vector<place> places, open;
    std::set<place> known; // The places, where they are many.
    bool may_end = false, too_many = false;

    /// False if it is there already.
    bool add(place one) {
      constexpr size_t few = 16;
      if (places.size() < few ? std::ranges::find(places, one) != places.end() : known.contains(one)) return false;
      places.push_back(one);
      if (places.size() == few) known.insert(places.begin(), places.end());
      else if (places.size() > few) known.insert(one);
      return true;
    }
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
  const class_reading& reading(uint32_t frame, character_class of);
  bool may_leave(uint32_t frame) const { return frames_[frame].is_end || !frames_[frame].calls.empty(); }
  void reset();

  std::shared_ptr<const automaton> automaton_;
  std::vector<frame_record> frames_; // 0: the empty one.
  std::vector<caller_record> callers_; // 0: none.
  std::vector<one_state> states_; // 0: dead.
  std::vector<uint32_t> weights_; // By state: twice what there is to look at, plus may_end.
  std::vector<uint32_t> next_;    // By state and class.
  uint32_t classes_ = 0;
  std::unordered_multimap<uint64_t, uint32_t> frame_numbers_, state_numbers_; // By a hash of their content.
  std::unordered_map<uint64_t, uint32_t> caller_numbers_;
  std::unordered_map<uint32_t, uint32_t> frames_of_, returns_; // By state of the automaton; by caller.
  std::vector<uint32_t> marks_; // By state of the automaton: the last closure that has seen it.
  uint32_t mark_ = 0;
  size_t bytes_ = 0;
};

} // namespace troupe
