#include "model/constraints/automaton_states.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <array>

namespace troupe {
namespace {

uint64_t mixed(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
  return hash ^ (hash >> 29);
}

[[noreturn]] void fail_too_ambiguous() {
  throw input_error("the constraint is too ambiguous: there are too many ways in which the text can have been meant so far");
}

/// The valid continuations of UTF-8: what the first byte, or the state after it, says about the next one.
enum utf8_place : uint8_t { between, last, second_last, third_last, after_e0, after_ed, after_f0, after_f4, utf8_places };

struct utf8_move {
  uint8_t first = 0, last = 0;
  utf8_place to = between;
};

/// The bytes that go on with a character of a class, or begin one.
std::span<const utf8_move> utf8_moves(utf8_place at, character_class of) {
  static constexpr utf8_move from_between[] = {{0x20, 0x21, between}, {0x23, 0x5b, between}, {0x5d, 0x7e, between}, {0xc2, 0xdf, last},
                                              {0xe0, 0xe0, after_e0}, {0xe1, 0xec, second_last}, {0xed, 0xed, after_ed},
                                              {0xee, 0xef, second_last}, {0xf0, 0xf0, after_f0}, {0xf1, 0xf3, third_last},
                                              {0xf4, 0xf4, after_f4}};
  static constexpr utf8_move lower[] = {{'a', 'z', between}};
  static constexpr utf8_move alphanumeric[] = {{'0', '9', between}, {'A', 'Z', between}, {'a', 'z', between}};
  static constexpr utf8_move from_last[] = {{0x80, 0xbf, between}}, from_second_last[] = {{0x80, 0xbf, last}},
                             from_third_last[] = {{0x80, 0xbf, second_last}}, from_e0[] = {{0xa0, 0xbf, last}},
                             from_ed[] = {{0x80, 0x9f, last}}, from_f0[] = {{0x90, 0xbf, second_last}},
                             from_f4[] = {{0x80, 0x8f, second_last}};
  switch (at) {
  case between:
    if (of == character_class::lower_case) return lower;
    if (of == character_class::alphanumeric) return alphanumeric;
    return std::span(from_between).first(of == character_class::plain_ascii ? 3 : std::size(from_between));
  case last: return from_last;
  case second_last: return from_second_last;
  case third_last: return from_third_last;
  case after_e0: return from_e0;
  case after_ed: return from_ed;
  case after_f0: return from_f0;
  default: return from_f4;
  }
}

constexpr size_t run_frames_max = 64;

} // namespace

automaton_states::automaton_states(std::shared_ptr<const automaton> of) : automaton_(std::move(of)) {
  marks_.assign(automaton_->states(), 0);
  classes_ = automaton_->classes();
  reset();
}

void automaton_states::reset() {
  frames_.assign(1, {});
  frames_[0].next.assign(classes_, 0);
  callers_.assign(1, {});
  states_.assign(1, {});
  weights_.assign(1, 0);
  next_.assign(classes_, dead);
  frame_numbers_.clear();
  state_numbers_.clear();
  caller_numbers_.clear();
  frames_of_.clear();
  returns_.clear();
  bytes_ = 0;
}

uint32_t automaton_states::start() {
  collection begun;
  add_place(begun, {frame_of(automaton_->start(0)), 0});
  return finish(begun);
}

uint32_t automaton_states::find_next(uint32_t state, uint8_t byte_class) {
  collection after;
  for (size_t i = 0; i < states_[state].places.size(); ++i) {
    const place one = states_[state].places[i];
    add_place(after, {next_frame(one.frame, byte_class), one.caller});
  }
  const uint32_t found = finish(after);
  next_[size_t(state) * classes_ + byte_class] = found;
  return found;
}

uint32_t automaton_states::frame_alone(uint32_t frame) { return add_state({{frame, 0}}, false); }

uint32_t automaton_states::after_return(uint32_t caller) {
  if (caller == 0) return dead;
  if (const auto known = returns_.find(caller); known != returns_.end()) return known->second;
  collection after;
  add_return(after, caller);
  return returns_[caller] = finish(after);
}

void automaton_states::add_place(collection& to, place one) {
  to.open.push_back(one);
  // A loop, because as many calls may end at once as the text is long.
  while (!to.open.empty() && !to.too_many) {
    const place at = to.open.back();
    to.open.pop_back();
    if (at.frame == 0 || !to.add(at)) continue;
    if (to.places.size() > places_max) {
      to.too_many = true;
      return;
    }
    for (size_t i = 0; i < frames_[at.frame].calls.size(); ++i) {
      const auto call = frames_[at.frame].calls[i];
      const uint32_t outer = automaton_->only_ends(call.target) ? at.caller : add_caller(call.target, at.caller);
      to.open.push_back({frame_of(automaton_->start(call.rule)), outer});
    }
    if (!frames_[at.frame].is_end) continue;
    if (at.caller == 0) to.may_end = true;
    else to.open.push_back({frame_of(callers_[at.caller].state), callers_[at.caller].outer});
  }
}

void automaton_states::add_return(collection& to, uint32_t caller) {
  add_place(to, {frame_of(callers_[caller].state), callers_[caller].outer});
}

uint32_t automaton_states::finish(collection& made) {
  if (made.too_many) fail_too_ambiguous();
  std::erase_if(made.places, [&](const place& one) { return frames_[one.frame].edges == 0; });
  std::ranges::sort(made.places);
  return add_state(std::move(made.places), made.may_end);
}

uint32_t automaton_states::add_state(std::vector<place> places, bool may_end) {
  if (places.empty() && !may_end) return dead;
  uint64_t hash = may_end;
  for (const auto& one : places) hash = mixed(hash, uint64_t(one.frame) << 32 | one.caller);
  const auto [first, last] = state_numbers_.equal_range(hash);
  for (auto at = first; at != last; ++at)
    if (states_[at->second].places == places && states_[at->second].may_end == may_end) return at->second;
  uint32_t weight = 1;
  for (const auto& one : places) weight += 1 + (frames_[one.frame].edges + 2 * uint32_t(frames_[one.frame].members.size())) / 8;
  weights_.push_back(2 * weight + may_end);
  next_.resize(next_.size() + classes_, unknown);
  const auto number = uint32_t(states_.size());
  bytes_ += 100 + places.size() * sizeof(place) + classes_ * sizeof(uint32_t);
  states_.push_back({std::move(places), may_end});
  state_numbers_.emplace(hash, number);
  return number;
}

uint32_t automaton_states::add_caller(uint32_t state, uint32_t outer) {
  const auto [known, is_new] = caller_numbers_.try_emplace(uint64_t(state) << 32 | outer, uint32_t(callers_.size()));
  if (is_new) {
    const uint32_t depth = callers_[outer].depth + 1;
    if (depth > calls_max) {
      caller_numbers_.erase(known);
      throw input_error("the text is nested too deeply: more than " + std::to_string(calls_max) + " rules of the constraint are within each other");
    }
    callers_.push_back({state, outer, depth});
    bytes_ += 60;
  }
  return known->second;
}

uint32_t automaton_states::frame_of(uint32_t state) {
  if (const auto known = frames_of_.find(state); known != frames_of_.end()) return known->second;
  const uint32_t found = add_frame({state});
  bytes_ += 40;
  return frames_of_[state] = found;
}

uint32_t automaton_states::next_frame(uint32_t number, uint8_t byte_class) {
  const uint32_t known = frames_[number].next[byte_class];
  if (known != unknown) return known;
  std::vector<uint32_t> targets;
  for (const uint32_t member : frames_[number].members)
    for (const auto& edge : automaton_->edges(member))
      if (edge.first <= byte_class && byte_class <= edge.last) targets.push_back(edge.target);
  const uint32_t found = add_frame(std::move(targets));
  frames_[number].next[byte_class] = found;
  return found;
}

/// `states`, and what they lead to without a byte.
uint32_t automaton_states::add_frame(std::vector<uint32_t> states) {
  ++mark_;
  frame_record made;
  std::vector<uint32_t> open;
  for (const uint32_t state : states)
    if (std::exchange(marks_[state], mark_) != mark_) open.push_back(state);
  while (!open.empty()) {
    const uint32_t at = open.back();
    open.pop_back();
    const bool has_edges = !automaton_->edges(at).empty();
    const auto calls = automaton_->calls(at);
    if (has_edges || !calls.empty() || automaton_->is_end(at)) made.members.push_back(at);
    made.edges += uint32_t(automaton_->edges(at).size());
    made.is_end |= automaton_->is_end(at);
    made.calls.insert(made.calls.end(), calls.begin(), calls.end());
    for (const uint32_t next : automaton_->skips(at))
      if (std::exchange(marks_[next], mark_) != mark_) open.push_back(next);
  }
  if (made.members.empty()) return 0;
  if (made.members.size() > frame_states_max) fail_too_ambiguous();
  std::ranges::sort(made.members);
  uint64_t hash = 1;
  for (const uint32_t member : made.members) hash = mixed(hash, member);
  const auto [first, last] = frame_numbers_.equal_range(hash);
  for (auto at = first; at != last; ++at)
    if (frames_[at->second].members == made.members) return at->second;
  made.next.assign(classes_, unknown);
  bytes_ += 150 + 4 * made.members.size() + sizeof(automaton::call) * made.calls.size() + 4 * classes_;
  const auto number = uint32_t(frames_.size());
  frames_.push_back(std::move(made));
  frame_numbers_.emplace(hash, number);
  return number;
}

const automaton_states::class_reading& automaton_states::reading(uint32_t number, character_class of) {
  if (frames_[number].readings[size_t(of)].what != reads::not_known) return frames_[number].readings[size_t(of)];
  std::vector<std::pair<uint32_t, utf8_place>> seen{{number, between}};
  std::vector<uint32_t> after;
  bool reads_all = true, reads_none = true;
  for (size_t i = 0; i < seen.size() && (reads_all || reads_none); ++i) {
    const auto [at, utf8] = seen[i];
    for (const auto& move : utf8_moves(utf8, of))
      for (uint32_t c = automaton_->class_of(move.first); c <= automaton_->class_of(move.last); ++c) {
        const uint32_t next = next_frame(at, uint8_t(c));
        (next == 0 ? reads_all : reads_none) = false;
        if (next == 0) continue;
        // A rule that may end in the middle of a character, or call another, says nothing about whole ones.
        if (move.to != between && (may_leave(next) || seen.size() > 64)) reads_all = reads_none = false;
        if (move.to == between) {
          if (std::ranges::find(after, next) == after.end()) after.push_back(next);
        } else if (const std::pair there{next, move.to}; std::ranges::find(seen, there) == seen.end()) {
          seen.push_back(there);
        }
      }
  }
  auto& found = frames_[number].readings[size_t(of)];
  found.what = reads_all ? reads::all : reads_none ? reads::none : reads::some;
  if (reads_all) found.after = std::move(after);
  return found;
}

automaton_states::run automaton_states::run_of(uint32_t frame, character_class of, uint32_t most) {
  std::vector<uint32_t> seen{frame};
  bool leaves = false, is_chain = true; // One frame after the other, and none again.
  size_t begin = 0;
  for (uint32_t count = 0; count < most; ++count) {
    const size_t end = seen.size();
    if (begin == end) return {most, false}; // Whatever is read leads back.
    size_t none = 0;
    const size_t level = end - begin;
    for (; begin < end; ++begin) {
      const auto& found = reading(seen[begin], of);
      if (found.what == reads::some) return {count, false};
      none += found.what == reads::none;
      is_chain &= found.after.size() <= 1;
      for (const uint32_t next : found.after)
        if (std::ranges::find(seen, next) == seen.end()) {
          if (seen.size() == run_frames_max) return {count, false}; // To walk is better.
          leaves |= may_leave(next);
          seen.push_back(next);
        }
    }
    is_chain &= level == 1;
    if (none > 0) return {count, is_chain && !leaves};
  }
  return {most, false};
}

automaton_states::run automaton_states::run_after_space(uint32_t frame, character_class of, uint32_t most) {
  const uint32_t next = next_frame(frame, automaton_->class_of(' '));
  if (next == 0) return {0, true};
  const auto after = run_of(next, of, most - 1);
  return {after.count + 1, after.is_exact && !may_leave(next)};
}

uint32_t automaton_states::keep_only(uint32_t state) {
  const auto kept = states_[state];
  const auto frames = std::move(frames_);
  const auto callers = std::move(callers_);
  reset();
  std::vector<place> places;
  for (const auto& one : kept.places) {
    std::vector<uint32_t> returns; // From the inside out.
    for (uint32_t at = one.caller; at != 0; at = callers[at].outer) returns.push_back(callers[at].state);
    uint32_t outer = 0;
    for (size_t i = returns.size(); i-- > 0;) outer = add_caller(returns[i], outer);
    places.push_back({add_frame(frames[one.frame].members), outer});
  }
  std::ranges::sort(places);
  return add_state(std::move(places), kept.may_end);
}

} // namespace troupe
