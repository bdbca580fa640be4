#include "model/constraints/matcher.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <utility>

namespace troupe {
namespace {

constexpr size_t bytes_max = 16 << 20, bytes_max_in_mask = 40 << 20, masks_max = 32;
/// Nodes visited for one mask, times what there was to look at: more than ten times what a mask of a large schema costs. It is counted
/// as if nothing were known from before, so that it strikes at the same place of a text always.
constexpr uint64_t cost_max = uint64_t(1) << 26;

[[noreturn]] void fail_too_ambiguous() {
  throw input_error("the constraint is too ambiguous: which tokens may come next would take too much time or memory to find out");
}

void check_cost(uint64_t cost) {
  if (cost > cost_max) fail_too_ambiguous();
}

/// A mask takes more memory than there is, with what was known from before.
struct memory_is_used_up {};

} // namespace

constraint_matcher::constraint_matcher(std::shared_ptr<const automaton> constraint, std::shared_ptr<const token_index> tokens)
  : index_(std::move(tokens)), states_(std::move(constraint)), state_(states_.start()) {}

bool constraint_matcher::advance(uint32_t token) {
  if (token >= index_->vocabulary()) return false;
  const auto text = index_->text(token);
  return !text.empty() && advance(text);
}

bool constraint_matcher::advance(std::string_view bytes) {
  uint32_t at = state_;
  for (const char byte : bytes) at = states_.next(at, uint8_t(byte));
  if (at == automaton_states::dead) return false;
  state_ = at;
  if (memory() > bytes_max) forget();
  return true;
}

void constraint_matcher::forget() {
  frames_.clear();
  masks_.clear();
  bytes_ = 0;
  state_ = states_.keep_only(state_);
}

/// Tries the nodes [begin, end), which are all the descendants of one node (or a whole trie), from `state` there.
void constraint_matcher::walk(uint32_t begin, uint32_t end, uint32_t state, frame_tokens& found, bool notes_returns) {
  const auto& nodes = index_->nodes();
  if (begin >= end) return;
  const uint32_t depth = nodes[begin].depth;
  path_.resize(index_->depth() + 1);
  path_[0] = state;
  for (uint32_t at = begin; at < end;) {
    const auto& node = nodes[at];
    const uint32_t level = node.depth - depth;
    const uint32_t next = states_.next(path_[level], node.byte);
    found.cost += states_.weight(path_[level]);
    if (next == automaton_states::dead) {
      at = node.next;
      continue;
    }
    check_cost(found.cost);
    if (memory() > bytes_max_in_mask) throw memory_is_used_up();
    for (const uint32_t token : index_->tokens(at)) found.tokens.push_back(token);
    if (notes_returns && states_.may_end(next) && node.next > at + 1) found.returns.push_back(at);
    path_[level + 1] = next;
    ++at;
  }
}

/// Whether it is clear without a walk which tokens of a slice a frame allows: then they are added.
bool constraint_matcher::knows_slice(const token_index::slice& slice, uint32_t frame, frame_tokens& found) {
  const uint32_t most = slice.characters_max();
  const auto run = slice.begins_with_space ? states_.run_after_space(frame, slice.of, most) : states_.run_of(frame, slice.of, most);
  if (run.count < most && !run.is_exact) return false;
  if (run.count > 0) found.slices.push_back(&slice.up_to[std::min(run.count, most)]);
  return true;
}

const constraint_matcher::frame_tokens& constraint_matcher::tokens_of(uint32_t frame) {
  if (const auto known = frames_.find(frame); known != frames_.end()) return known->second;
  frame_tokens found;
  const uint32_t alone = states_.frame_alone(frame);
  for (const auto& slice : index_->slices())
    if (slice.begin < slice.end && !knows_slice(slice, frame, found)) walk(slice.begin, slice.end, alone, found, true);
  walk(index_->rest(), uint32_t(index_->nodes().size()) - 1, alone, found, true);
  if (found.tokens.size() > index_->vocabulary() / 32) {
    found.mask.assign(index_->mask_words(), 0);
    for (const uint32_t token : found.tokens) set_token(found.mask, token);
    found.tokens = {};
  }
  bytes_ += 100 + 4 * (found.tokens.size() + found.returns.size()) + 8 * found.mask.size();
  return frames_[frame] = std::move(found);
}

const token_mask& constraint_matcher::allowed() {
  if (const auto known = masks_.find(state_); known != masks_.end()) return known->second;
  if (masks_.size() == masks_max) masks_.clear();
  try {
    return masks_[state_] = find_allowed();
  } catch (const memory_is_used_up&) {
    forget();
  }
  // Alone it fits or not, whatever was known: so this ends at the same place of a text always, too.
  try {
    return masks_[state_] = find_allowed();
  } catch (const memory_is_used_up&) {
    fail_too_ambiguous();
  }
}

token_mask constraint_matcher::find_allowed() {
  token_mask mask(index_->mask_words(), 0);
  const auto add = [&](const token_mask& more) {
    for (size_t i = 0; i < mask.size(); ++i) mask[i] |= more[i];
  };
  uint64_t cost = 0;
  const std::vector places(states_.places(state_).begin(), states_.places(state_).end());
  for (const auto& place : places) {
    const auto& inside = tokens_of(place.frame);
    for (const auto* slice : inside.slices) add(*slice);
    if (!inside.mask.empty()) add(inside.mask);
    for (const uint32_t token : inside.tokens) set_token(mask, token);
    check_cost(cost += inside.cost);
    if (place.caller == 0) continue;
    frame_tokens outside;
    const uint32_t after = states_.after_return(place.caller);
    for (const uint32_t node : inside.returns) {
      walk(node + 1, index_->nodes()[node].next, after, outside, false);
      for (const uint32_t token : outside.tokens) set_token(mask, token);
      outside.tokens.clear();
    }
    check_cost(cost += outside.cost);
  }
  return mask;
}

} // namespace troupe
