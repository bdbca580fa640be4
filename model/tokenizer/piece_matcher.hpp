#pragma once
// Finds pieces in a text.
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace troupe {

/// A stretch of text: ordinary, or the spelling of a special piece.
struct text_fragment {
  std::string_view text;
  std::optional<uint32_t> id; // Set: it is this piece.
};

/// A set of pieces to be found. In split(), longer pieces win over shorter ones wherever they overlap, then lower ids,
/// then whatever begins further left: so llama.cpp splits, which lets every piece in turn, longest first,
/// take its places.
class piece_matcher {
public:
  /// text: not empty.
  void add(std::string_view text, uint32_t id);
  struct match {
    size_t position = 0;
    size_t length = 0;
    uint32_t id = 0;
  };
  /// The longest piece that begins at `position`, of at most length_max bytes.
  std::optional<match> longest(std::string_view text, size_t position, size_t length_max) const;
  /// Calls visit(match) for every piece that begins at `position`, the shortest first.
  template <class visit_function>
  void for_each(std::string_view text, size_t position, const visit_function& visit) const {
    uint32_t at = 0;
    for (size_t end = position; end < text.size(); ++end) {
      const auto* next = child(nodes_[at], text[end]);
      if (!next)
        return;
      at = *next;
      if (nodes_[at].id)
        visit(match{position, end + 1 - position, *nodes_[at].id});
    }
  }
  /// The text cut into fragments, in order, none of them empty. Time: O(n (d + log n)), d the longest piece.
  std::vector<text_fragment> split(std::string_view text) const;

private:
  struct node {
    std::vector<std::pair<char, uint32_t>> children; // Sorted by byte.
    std::optional<uint32_t> id;
  };
  const uint32_t* child(const node& parent, char byte) const;
  std::vector<match> choose(std::string_view text) const;

  std::vector<node> nodes_ = std::vector<node>(1);
};

} // namespace troupe
