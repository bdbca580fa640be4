#pragma once
// What an actor keeps of the micro-batches that are on their way through the model.
#include <cstdint>
#include <map>
#include <vector>

namespace troupe {

/// A Kept for each micro-batch, by its index. Those that are released are given to later micro-batches with their buffers, which are
/// large: so they are neither allocated nor zeroed each time. Kept::release() drops all that must not be kept longer.
template <class Kept> class kept_batches {
public:
  Kept& operator[](uint32_t micro_batch) {
    if (spare_.empty() || batches_.contains(micro_batch)) return batches_[micro_batch];
    auto node = std::move(spare_.back());
    spare_.pop_back();
    node.key() = micro_batch;
    return batches_.insert(std::move(node)).position->second;
  }
  /// Null: there is none.
  Kept* find(uint32_t micro_batch) {
    const auto found = batches_.find(micro_batch);
    return found == batches_.end() ? nullptr : &found->second;
  }
  void release(uint32_t micro_batch) {
    auto node = batches_.extract(micro_batch);
    if (!node) return;
    node.mapped().release();
    spare_.push_back(std::move(node));
  }
  void release_all() {
    while (!batches_.empty()) release(batches_.begin()->first);
  }

private:
  std::map<uint32_t, Kept> batches_;
  std::vector<typename std::map<uint32_t, Kept>::node_type> spare_;
};

} // namespace troupe
