#pragma once
// The tokens of a vocabulary in an order in which a constraint can be tried on all of them at once.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

class tokenizer;

/// A set of tokens: bit `token % 64` of word `token / 64`.
using token_mask = std::vector<uint64_t>;

inline void set_token(token_mask& mask, uint32_t token) { mask[token / 64] |= uint64_t(1) << (token % 64); }
inline bool has_token(const token_mask& mask, uint32_t token) { return mask[token / 64] >> (token % 64) & 1; }

/// Characters that often are all allowed or all forbidden.
enum class character_class : uint8_t {
  lower_case,  // a-z
  alphanumeric, // A-Z, a-z, 0-9
  plain_ascii, // What a JSON string may hold as it is: no control characters, no " and no backslash.
  plain,       // The same of all characters.
};
constexpr size_t character_classes = 4;

/// Immutable, shared by all requests of a model. Tries of the bytes of all tokens that stand for text: special and unused tokens are
/// in none. Most tokens are in a trie of tokens of one class of characters (a *slice*): where any of those characters may stand again
/// and again, all these tokens may, so that the trie need not be walked. The last trie holds the others.
/// Building takes about 60 ms for 128,000 tokens, and 10 MB.
class token_index {
public:
  struct slice {
    character_class of = character_class::plain;
    bool begins_with_space = false;  // A space, and then a character of the class or more.
    uint32_t begin = 0, end = 0;     // Its nodes.
    std::vector<token_mask> up_to{}; // By a number of characters from 0, that space included: the tokens that are no longer.
    uint32_t characters_max() const { return up_to.empty() ? 0 : uint32_t(up_to.size()) - 1; }
  };
  /// In the order of a walk that visits a node before its children.
  struct node {
    uint32_t next = 0;   // The node after all below this one.
    uint32_t tokens = 0; // Its own tokens begin here in tokens(), and end where those of the following node begin.
    uint16_t depth = 0;  // Bytes before `byte`.
    uint8_t byte = 0;
  };

  explicit token_index(const tokenizer& words);
  /// By token; an empty text stands for none.
  explicit token_index(const std::vector<std::string>& texts);

  uint32_t vocabulary() const { return uint32_t(text_begins_.size()) - 1; }
  /// The bytes that a token stands for; empty for one that is in no trie.
  std::string_view text(uint32_t token) const {
    return std::string_view(texts_).substr(text_begins_[token], text_begins_[token + 1] - text_begins_[token]);
  }
  const std::vector<node>& nodes() const { return nodes_; } // With one more at the end.
  const std::vector<slice>& slices() const { return slices_; }
  uint32_t rest() const { return rest_; } // The first node of the trie of all other tokens.
  uint32_t depth() const { return depth_; } // The bytes of the longest token.
  uint32_t mask_words() const { return (vocabulary() + 63) / 64; }
  std::span<const uint32_t> tokens(uint32_t at) const {
    return {tokens_.data() + nodes_[at].tokens, tokens_.data() + nodes_[at + 1].tokens};
  }

private:
  void build();
  void append_trie(std::vector<uint32_t> order);

  std::string texts_;
  std::vector<uint32_t> text_begins_;
  std::vector<node> nodes_;
  std::vector<uint32_t> tokens_;
  std::vector<slice> slices_;
  uint32_t rest_ = 0, depth_ = 0;
};

} // namespace troupe
