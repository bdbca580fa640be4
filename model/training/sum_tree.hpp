#pragma once
// The one order in which sums over the rows of a matrix are added, however the rows are cut into shards. y = x Wᵀ needs, on the way
// back, dx = sum over rows n of W of dy[n] W[n], and each shard has some of the rows.
//
// The rows are cut into `leaves` equal pieces, a power of two of them. Within a leaf the sum runs over the rows in order; leaves are
// added in pairs, the pairs in pairs, and so on. A shard has whole leaves, and sums what of the tree is inside its leaves; whoever
// gets the partial sums of all shards adds the rest. So the result has the same bits for any number of shards, and with 1, 2 or 4
// shards each sends one partial sum.
#include "model/kernels/rows.hpp"
#include "model/parts.hpp"
#include <functional>
#include <span>
#include <vector>

namespace troupe {

/// A node of the tree: 2^k leaves, beginning at a multiple of 2^k.
struct tree_node {
  uint32_t first = 0, leaves = 0;
  bool operator==(const tree_node&) const = default;
};

class sum_tree {
public:
  /// As many leaves as leave each at least `leaf_rows_min` rows, but at least 1 and at most 16. Both > 0.
  sum_tree(uint32_t rows, uint32_t leaf_rows_min);
  uint32_t rows() const { return rows_; }
  uint32_t leaves() const { return leaves_; }
  /// The rows of some leaves.
  range rows_of(tree_node node) const;
  /// The nodes whose sums shard `shard` of `shards` makes, in order: as few as cover its leaves; none where there are fewer leaves
  /// than shards.
  std::vector<tree_node> nodes_of(uint32_t shards, uint32_t shard) const;
  /// All rows of a shard.
  range rows_of_shard(uint32_t shards, uint32_t shard) const;

private:
  uint32_t rows_, leaves_;
};

/// Sums a node: leaf(index, out) makes the sum of one leaf in `out`; `temporary(depth)` gives memory of the shape of `out`, other memory
/// for each depth, which stays valid while that of greater depths is asked for.
void sum_node(tree_node node, mutable_rows out, const std::function<void(uint32_t leaf, mutable_rows out)>& leaf,
              const std::function<mutable_rows(uint32_t depth)>& temporary);

/// Adds the rest of the tree: `sums` are those of `nodes`, which cover all leaves, in order. The total is in the first one then; the
/// others hold whatever was added up in them.
void sum_nodes(std::span<const tree_node> nodes, std::span<const mutable_rows> sums);

} // namespace troupe
