#pragma once
// The loop both kinds of tokenizer share: merge the best pair of neighbours until none is left.
#include "model/error.hpp"
#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace troupe {

/// What merging two neighbours gives.
struct merge_result {
  double priority; // The highest goes first; on a tie the leftmost.
  uint32_t value;
};

/// A chain of symbols over a text and the merges still possible. Keep one per text and reuse it for its
/// words: the buffers stay. Time O(n log n) in the number of symbols, whatever the text.
class merge_chain {
public:
  struct symbol {
    uint32_t start = 0, length = 0; // Bytes of the text.
    uint32_t value = 0;             // Whatever the caller calls a symbol by.
  };

  void clear() { links_.clear(); }
  void add(const symbol& next) { links_.push_back({next, none, none}); }

  /// find(left, right) -> std::optional<merge_result>; it must depend on the two symbols only.
  template <class find_function>
  void merge(const find_function& find) {
    TROUPE_ASSERT(links_.size() < none);
    heap_.clear();
    for (uint32_t i = 0; i < links_.size(); ++i) {
      links_[i].previous = i == 0 ? none : i - 1;
      links_[i].next = i + 1 == links_.size() ? none : i + 1;
    }
    for (uint32_t i = 0; i + 1 < links_.size(); ++i)
      consider(i, find);
    std::make_heap(heap_.begin(), heap_.end(), worse);
    merging_ = true;
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end(), worse);
      const candidate best = heap_.back();
      heap_.pop_back();
      if (!stale(best))
        apply(best, find);
    }
    merging_ = false;
  }

  /// Calls visit(symbol) for what is left, in order.
  template <class visit_function>
  void for_each(const visit_function& visit) const {
    for (uint32_t i = links_.empty() ? none : 0; i != none; i = links_[i].next)
      visit(links_[i].what);
  }

private:
  static constexpr uint32_t none = std::numeric_limits<uint32_t>::max();
  struct link {
    symbol what; // length 0: merged into its left neighbour.
    uint32_t previous, next;
  };
  struct candidate {
    double priority;
    uint32_t left, length, value; // length: of both together, when they were considered.
  };

  static bool worse(const candidate& a, const candidate& b) {
    return a.priority != b.priority ? a.priority < b.priority : a.left > b.left;
  }

  // Symbols only grow, and a left symbol grows by all of its right neighbour: if the lengths still add up,
  // neither has changed.
  bool stale(const candidate& pair) const {
    const auto& left = links_[pair.left];
    return left.what.length == 0 || left.next == none
           || left.what.length + links_[left.next].what.length != pair.length;
  }

  template <class find_function>
  void consider(uint32_t left, const find_function& find) {
    if (left == none || links_[left].next == none)
      return;
    const symbol& a = links_[left].what;
    const symbol& b = links_[links_[left].next].what;
    const std::optional<merge_result> merged = find(a, b);
    if (!merged)
      return;
    heap_.push_back({merged->priority, left, a.length + b.length, merged->value});
    if (merging_)
      std::push_heap(heap_.begin(), heap_.end(), worse);
  }

  template <class find_function>
  void apply(const candidate& best, const find_function& find) {
    auto& left = links_[best.left];
    auto& right = links_[left.next];
    left.what.length = best.length;
    left.what.value = best.value;
    right.what.length = 0;
    left.next = right.next;
    if (left.next != none)
      links_[left.next].previous = best.left;
    consider(left.previous, find);
    consider(best.left, find);
  }

  std::vector<link> links_;
  std::vector<candidate> heap_;
  bool merging_ = false;
};

} // namespace troupe
