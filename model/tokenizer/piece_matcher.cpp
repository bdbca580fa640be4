#include "model/tokenizer/piece_matcher.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <queue>

namespace troupe {

const uint32_t* piece_matcher::child(const node& parent, char byte) const {
  const auto at = std::lower_bound(parent.children.begin(), parent.children.end(), byte,
                                   [](const auto& entry, char wanted) { return entry.first < wanted; });
  return at != parent.children.end() && at->first == byte ? &at->second : nullptr;
}

void piece_matcher::add(std::string_view text, uint32_t id) {
  TROUPE_ASSERT(!text.empty());
  uint32_t at = 0;
  for (const char byte : text) {
    if (const auto* next = child(nodes_[at], byte)) {
      at = *next;
      continue;
    }
    const auto fresh = static_cast<uint32_t>(nodes_.size());
    nodes_.emplace_back();
    auto& children = nodes_[at].children;
    children.emplace_back(byte, fresh);
    std::sort(children.begin(), children.end());
    at = fresh;
  }
  if (!nodes_[at].id)
    nodes_[at].id = id;
}

std::optional<piece_matcher::match> piece_matcher::longest(std::string_view text, size_t position,
                                                           size_t length_max) const {
  std::optional<match> found;
  const size_t end = length_max < text.size() - position ? position + length_max : text.size();
  for_each(text.substr(0, end), position, [&](const match& next) { found = next; });
  return found;
}

std::vector<piece_matcher::match> piece_matcher::choose(std::string_view text) const {
  const auto worse = [](const match& a, const match& b) {
    if (a.length != b.length)
      return a.length < b.length;
    return a.id != b.id ? a.id > b.id : a.position > b.position;
  };
  std::priority_queue<match, std::vector<match>, decltype(worse)> candidates(worse);
  for (size_t position = 0; position < text.size(); ++position)
    if (const auto found = longest(text, position, text.size()))
      candidates.push(*found);

  std::vector<match> chosen;
  std::vector<bool> taken(candidates.empty() ? 0 : text.size());
  while (!candidates.empty()) {
    const match best = candidates.top();
    candidates.pop();
    // What is taken already is at least as long, so it covers an end of this one if it covers any of it.
    if (taken[best.position])
      continue;
    if (taken[best.position + best.length - 1]) {
      if (const auto shorter = longest(text, best.position, best.length - 1))
        candidates.push(*shorter);
      continue;
    }
    std::fill_n(taken.begin() + static_cast<ptrdiff_t>(best.position), best.length, true);
    chosen.push_back(best);
  }
  std::sort(chosen.begin(), chosen.end(),
            [](const match& a, const match& b) { return a.position < b.position; });
  return chosen;
}

std::vector<text_fragment> piece_matcher::split(std::string_view text) const {
  std::vector<text_fragment> fragments;
  size_t done = 0;
  for (const auto& special : choose(text)) {
    if (special.position > done)
      fragments.push_back({text.substr(done, special.position - done), {}});
    fragments.push_back({text.substr(special.position, special.length), special.id});
    done = special.position + special.length;
  }
  if (done < text.size())
    fragments.push_back({text.substr(done), {}});
  return fragments;
}

} // namespace troupe
