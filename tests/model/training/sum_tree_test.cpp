// Claims: the nodes of all shards cover the leaves once, aligned; the sum of all rows has the same bits for any number of shards.
#include "model/training/sum_tree.hpp"
#include "model/error.hpp"
#include "model/kernels/kernel_support.hpp"
#include "support/catch.hpp"
#include <bit>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// The sum of the rows of a matrix as `shards` shards and whoever collects from them make it.
std::vector<float> total_of(const sum_tree& tree, const std::vector<float>& matrix, uint32_t columns, uint32_t shards) {
  std::vector<tree_node> nodes;
  std::vector<std::vector<float>> buffers, temporaries(5, std::vector<float>(columns));
  for (uint32_t shard = 0; shard < shards; ++shard)
    for (const tree_node node : tree.nodes_of(shards, shard)) {
      nodes.push_back(node);
      auto& buffer = buffers.emplace_back(columns, std::nanf(""));
      const auto leaf = [&](uint32_t index, mutable_rows out) {
        std::fill_n(out.data, columns, 0.0f);
        const range rows = tree.rows_of({index, 1});
        for (uint32_t row = rows.first; row < rows.first + rows.count; ++row)
          for (uint32_t i = 0; i < columns; ++i) out.data[i] += matrix[row * columns + i];
      };
      const auto temporary = [&](uint32_t depth) { return mutable_rows{temporaries.at(depth).data(), 1, columns, columns}; };
      sum_node(node, {buffer.data(), 1, columns, columns}, leaf, temporary);
    }
  std::vector<mutable_rows> sums;
  for (auto& buffer : buffers) sums.push_back({buffer.data(), 1, columns, columns});
  sum_nodes(nodes, sums);
  return buffers.front();
}

} // namespace

TEST_CASE("leaves are as many as the least size of a leaf allows, a power of two up to 16", "[training]") {
  for (uint32_t rows = 1; rows <= 400; ++rows)
    for (const uint32_t least : {1u, 3u, 8u, 128u}) {
      const sum_tree tree(rows, least);
      INFO("rows " << rows << " least " << least);
      REQUIRE(tree.rows() == rows);
      REQUIRE(std::has_single_bit(tree.leaves()));
      REQUIRE(tree.leaves() <= 16);
      REQUIRE((tree.leaves() == 1 || rows / tree.leaves() >= least));
      REQUIRE((tree.leaves() == 16 || rows / (2 * tree.leaves()) < least)); // Twice as many would be too small.
      uint32_t next = 0;
      for (uint32_t leaf = 0; leaf < tree.leaves(); ++leaf) {
        const range of = tree.rows_of({leaf, 1});
        REQUIRE(of.first == next);
        REQUIRE(of.count >= rows / tree.leaves());
        REQUIRE(of.count <= rows / tree.leaves() + 1);
        next += of.count;
      }
      REQUIRE(next == rows);
      REQUIRE(tree.rows_of({0, tree.leaves()}) == range{0, rows});
    }
  REQUIRE_THROWS_AS(sum_tree(0, 1), broken_invariant);
  REQUIRE_THROWS_AS(sum_tree(1, 0), broken_invariant);
}

TEST_CASE("the nodes of all shards cover all leaves once, in order and aligned, as few as can be", "[training]") {
  for (const uint32_t rows : {1u, 2u, 3u, 5u, 8u, 11u, 16u, 31u, 100u, 3'000'000'000u})
    for (uint32_t shards = 1; shards <= 20; ++shards) {
      const sum_tree tree(rows, 1);
      INFO("rows " << rows << " shards " << shards);
      uint32_t next_leaf = 0, next_row = 0;
      for (uint32_t shard = 0; shard < shards; ++shard) {
        const auto nodes = tree.nodes_of(shards, shard);
        uint32_t leaves = 0, shard_rows = 0;
        for (const tree_node node : nodes) {
          REQUIRE(node.first == next_leaf);
          REQUIRE(std::has_single_bit(node.leaves));
          REQUIRE(node.first % node.leaves == 0);
          next_leaf += node.leaves;
          leaves += node.leaves;
          REQUIRE(tree.rows_of(node).first == next_row + shard_rows);
          shard_rows += tree.rows_of(node).count;
        }
        for (size_t i = 1; i < nodes.size(); ++i) // No two of them are one node.
          REQUIRE((nodes[i - 1].leaves != nodes[i].leaves || nodes[i - 1].first % (2 * nodes[i].leaves) != 0));
        REQUIRE(leaves >= tree.leaves() / shards); // Shares are equal up to one leaf.
        REQUIRE(leaves <= tree.leaves() / shards + 1);
        const range of = tree.rows_of_shard(shards, shard);
        REQUIRE(of.count == shard_rows);
        if (!nodes.empty()) REQUIRE(of.first == next_row);
        next_row += shard_rows;
      }
      REQUIRE(next_leaf == tree.leaves());
      REQUIRE(next_row == rows);
    }
  REQUIRE_THROWS_AS(sum_tree(8, 1).nodes_of(2, 2), broken_invariant);
}

TEST_CASE("with 1, 2, 4, 8 or 16 shards each sends one partial sum where there are enough leaves", "[training]") {
  for (const uint32_t rows : {16u, 17u, 500u})
    for (const uint32_t shards : {1u, 2u, 4u, 8u, 16u})
      for (uint32_t shard = 0; shard < shards; ++shard)
        REQUIRE(sum_tree(rows, 1).nodes_of(shards, shard) == std::vector<tree_node>{{shard * 16 / shards, 16 / shards}});
}

TEST_CASE("the sum of all rows has the same bits for any number of shards, and all rows are in it", "[training]") {
  random_bits random(301);
  for (const uint32_t rows : {1u, 2u, 5u, 9u, 16u, 33u, 100u, 250u}) {
    const uint32_t columns = 21;
    const std::vector<float> matrix = random.units(rows * columns);
    const sum_tree tree(rows, 2);
    const auto whole = total_of(tree, matrix, columns, 1);
    for (uint32_t i = 0; i < columns; ++i) {
      double exact = 0;
      for (uint32_t row = 0; row < rows; ++row) exact += double(matrix[row * columns + i]);
      REQUIRE(std::abs(double(whole[i]) - exact) <= rows * 0x1p-24 * rows);
    }
    for (uint32_t shards = 2; shards <= 20; ++shards) {
      INFO("rows " << rows << " shards " << shards);
      REQUIRE(same_bits(total_of(tree, matrix, columns, shards), whole));
    }
  }
}

TEST_CASE("partial sums that do not make up a whole tree are refused", "[training]") {
  std::vector<float> a(1), b(1);
  const std::vector<mutable_rows> sums{{a.data(), 1, 1, 1}, {b.data(), 1, 1, 1}};
  REQUIRE_NOTHROW(sum_nodes(std::vector<tree_node>{{0, 1}, {1, 1}}, sums));
  REQUIRE_THROWS_AS(sum_nodes(std::vector<tree_node>{{0, 2}, {2, 1}}, sums), broken_invariant);
  REQUIRE_THROWS_AS(sum_nodes(std::vector<tree_node>{{0, 2}}, sums), broken_invariant);
}
