#include "model/training/sum_tree.hpp"
#include "model/error.hpp"
#include "model/kernels/rowwise.hpp"
#include <algorithm>
#include <bit>

namespace troupe {
namespace {

constexpr uint32_t leaves_max = 16;

void add_rows(mutable_rows to, const_rows from) {
  for (uint32_t row = 0; row < to.rows; ++row) add(to.row(row), from.row(row));
}

} // namespace

sum_tree::sum_tree(uint32_t rows, uint32_t leaf_rows_min) : rows_(rows) {
  TROUPE_ASSERT(rows > 0);
  TROUPE_ASSERT(leaf_rows_min > 0);
  leaves_ = std::min(leaves_max, std::bit_floor(std::max(1u, rows / leaf_rows_min)));
}

range sum_tree::rows_of(tree_node node) const {
  const auto begin = [&](uint64_t leaf) { return uint32_t(rows_ * leaf / leaves_); };
  return {begin(node.first), begin(node.first + node.leaves) - begin(node.first)};
}

std::vector<tree_node> sum_tree::nodes_of(uint32_t shards, uint32_t shard) const {
  TROUPE_ASSERT(shard < shards);
  uint32_t first = uint32_t(uint64_t(leaves_) * shard / shards);
  const uint32_t end = uint32_t(uint64_t(leaves_) * (shard + 1) / shards);
  std::vector<tree_node> nodes;
  while (first < end) {
    const uint32_t aligned = first == 0 ? leaves_ : first & (~first + 1); // The largest node that may begin here.
    nodes.push_back({first, std::min(aligned, std::bit_floor(end - first))});
    first += nodes.back().leaves;
  }
  return nodes;
}

range sum_tree::rows_of_shard(uint32_t shards, uint32_t shard) const {
  range rows;
  for (const tree_node node : nodes_of(shards, shard)) {
    const range more = rows_of(node);
    if (rows.count == 0) rows.first = more.first;
    rows.count += more.count;
  }
  return rows;
}

namespace {

void sum_node_at(tree_node node, mutable_rows out, uint32_t depth, const std::function<void(uint32_t, mutable_rows)>& leaf,
                 const std::function<mutable_rows(uint32_t)>& temporary) {
  if (node.leaves == 1) return leaf(node.first, out);
  const uint32_t half = node.leaves / 2;
  sum_node_at({node.first, half}, out, depth + 1, leaf, temporary);
  const mutable_rows other = temporary(depth);
  sum_node_at({node.first + half, half}, other, depth + 1, leaf, temporary);
  add_rows(out, other);
}

} // namespace

void sum_node(tree_node node, mutable_rows out, const std::function<void(uint32_t, mutable_rows)>& leaf,
              const std::function<mutable_rows(uint32_t)>& temporary) {
  sum_node_at(node, out, 0, leaf, temporary);
}

void sum_nodes(std::span<const tree_node> nodes, std::span<const mutable_rows> sums) {
  TROUPE_ASSERT(nodes.size() == sums.size());
  std::vector<std::pair<tree_node, mutable_rows>> open;
  for (size_t i = 0; i < nodes.size(); ++i) {
    open.emplace_back(nodes[i], sums[i]);
    while (open.size() > 1) {
      auto& [left, total] = open[open.size() - 2];
      const auto& [right, sum] = open.back();
      if (left.leaves != right.leaves || left.first % (2 * left.leaves) != 0) break;
      add_rows(total, sum);
      left.leaves *= 2;
      open.pop_back();
    }
  }
  TROUPE_ASSERT(open.size() == 1);
}

} // namespace troupe
