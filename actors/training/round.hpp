#pragma once
// One request to several actors, and their answers: which are still owed.
#include "actors/interfaces/step.hpp"
#include "model/error.hpp"
#include "model/training/sum_tree.hpp"
#include <cstdint>
#include <vector>

namespace troupe {

/// The answers of one round of one micro-batch, by the index of who gave them.
template <class Answer> class round_answers {
public:
  void expect(size_t members) {
    answers_.assign(members, {});
    is_there_.assign(members, false);
    owed_ = members;
  }
  /// False: nothing is owed by this member.
  bool take(uint32_t index, Answer& answer) {
    TROUPE_ASSERT(index < answers_.size());
    if (is_there_[index]) return false;
    is_there_[index] = true;
    answers_[index].Swap(&answer);
    --owed_;
    return true;
  }
  bool complete() const { return owed_ == 0; }
  std::vector<Answer>& all() { return answers_; }

private:
  std::vector<Answer> answers_;
  std::vector<bool> is_there_;
  size_t owed_ = 0;
};

/// The micro-batch that is on its way in this direction; null if there is none.
template <class Batches> auto* find_batch(Batches& batches, uint32_t micro_batch, bool backward) {
  const auto found = batches.find(micro_batch);
  return found == batches.end() || found->second.backward != backward ? nullptr : &found->second;
}

/// Rounds of one kind end in the order of micro-batches, so that gradients of norms are added in it, and others are asked in it: one whose
/// answers came early waits for those before it. turn: whose round is to end next. has_all(batch): it is in that round, and no answer is
/// owed. end(batch): what follows; it may remove the batch.
template <class Batches, class HasAll, class End>
void end_in_turn(Batches& batches, uint32_t& turn, bool backward, HasAll has_all, End end) {
  for (auto* next = find_batch(batches, turn, backward); next != nullptr && has_all(*next); next = find_batch(batches, turn, backward)) {
    ++turn;
    end(*next);
  }
}

/// Adds up the partial sums that shards sent, [nodes, rows, width] each, in the order of their sum tree. Returns the total, [rows,
/// width]; the answers are used up.
template <class Answer>
float_field total_of(std::vector<Answer>& answers, const sum_tree& tree, uint32_t rows, uint32_t width) {
  std::vector<tree_node> nodes;
  std::vector<mutable_rows> sums;
  for (uint32_t shard = 0; shard < answers.size(); ++shard) {
    float* data = answers[shard].mutable_values()->mutable_data();
    for (const tree_node node : tree.nodes_of(uint32_t(answers.size()), shard)) {
      nodes.push_back(node);
      sums.push_back({data, rows, width, width});
      data += uint64_t(rows) * width;
    }
    TROUPE_ASSERT(data == answers[shard].values().data() + answers[shard].values_size());
  }
  sum_nodes(nodes, sums);
  for (auto& answer : answers) { // The total is in the first matrix.
    if (answer.values_size() == 0) continue;
    answer.mutable_values()->Truncate(int(uint64_t(rows) * width));
    float_field total;
    total.Swap(answer.mutable_values());
    return total;
  }
  throw broken_invariant("no shard has rows of a matrix");
}

} // namespace troupe
