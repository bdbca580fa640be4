#pragma once
// Which sequences begin alike: for each prefix of whole blocks of tokens, in whose key/value caches it is. With it a prompt that begins
// like the log of another sequence is computed once. Pure.
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace troupe {

/// A token log, and what heads hold of it.
struct cached_log {
  uint64_t id = 0;
  std::string tenant;           // Prefixes are shared within a tenant only: who shares sees it by the time that is saved.
  std::vector<uint32_t> tokens;
  uint32_t cached = 0;          // Positions that the heads hold.
  std::vector<uint64_t> blocks; // For prefix_index: hashes of the first tokens, one for each whole block that they were taken of,
  uint32_t indexed = 0;         // and how many of them are in the index.
};

/// The logs of sequences that run belong to others: such a log must be taken out before its tokens change but by growing, and before
/// it goes. Those of finished ones are retained here.
///
/// Cost: O(log n) for each block that a log grows or shrinks by; a search hashes the log's tokens once in its life, compares O(log of its
/// blocks) hashes, and the tokens of at most compared_max logs. Two prefixes of the same hash are told apart by their tokens, so that
/// whoever knows how to make such prefixes gains nothing, and loses his own reuse.
class prefix_index {
public:
  static constexpr int compared_max = 4;

  /// block: in tokens; 0: nothing is ever found.
  explicit prefix_index(uint32_t block) : block_(block) {}

  /// Heads hold, or are about to, the first `positions` of this log; 0 takes it out.
  void hold(cached_log& log, uint32_t positions);

  struct match {
    const cached_log* log = nullptr; // Null: none.
    uint32_t tokens = 0;             // How many the two begin with in common; at most the search's limit.
  };
  /// A log with which this one, which is in none of its own blocks, has the most whole blocks in common, of its first `limit` tokens. Of
  /// several the one of which the most is cached, then the one with the lowest id.
  match find(cached_log& log, uint32_t limit) const;

  // The logs of sequences that have finished, retained while heads keep their caches: those used least recently go first.
  static constexpr size_t retained_max = 64; // Heads look at every cache they hold in every step.

  /// A log that is not in the index now. With retained_max others there is no room: drop one before.
  void retain(cached_log log);
  void touch(uint64_t id); // It is used. Not retained: ignored.
  bool drop(uint64_t id);  // False: it is not retained.
  uint64_t drop_oldest();  // Its id. Not when there is none.
  size_t retained() const { return retained_.size(); }
  uint64_t retained_positions() const { return positions_; } // Of all of them.

private:
  struct retained_log {
    cached_log log;
    uint64_t used = 0;
  };
  void hash_blocks(cached_log& log, uint32_t count) const;

  uint32_t block_;
  std::map<std::pair<uint64_t, uint64_t>, const cached_log*> holders_; // By hash of a prefix and id.
  std::map<uint64_t, retained_log> retained_;
  std::map<uint64_t, uint64_t> by_use_; // Of `used` the id.
  uint64_t uses_ = 0, positions_ = 0;
};

} // namespace troupe
