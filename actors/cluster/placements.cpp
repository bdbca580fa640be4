#include "actors/cluster/placements.hpp"

#include "model/error.hpp"

#include <algorithm>

namespace troupe {

uint32_t usable_segments(uint32_t wanted, const placements_config& of) {
  const uint32_t most = of.encoder_layers > 0 ? std::min(of.layers, of.encoder_layers) : of.layers;
  return std::clamp(wanted, 1u, most);
}

placements::placements(placements_config config) : config_(config) {
  TROUPE_ASSERT(config_.layers > 0 && config_.segments == usable_segments(config_.segments, config_));
}

void placements::worker_ready(const std::string& name, uint32_t threads, int64_t now_ns) {
  auto& known = workers_[name];
  known.threads = std::max(threads, 1u);
  known.is_ready = true;
  if (first_ready_ns_ < 0) first_ready_ns_ = now_ns;
}

void placements::worker_lost(const std::string& name, int64_t now_ns) {
  const auto known = workers_.find(name);
  if (known == workers_.end() || !known->second.is_ready) return;
  known->second.is_ready = false;
  known->second.lost_ns = now_ns;
}

void placements::drain(const std::string& name, bool is_drained) { workers_[name].is_drained = is_drained; }

bool placements::is_drained(const std::string& name) const {
  const auto known = workers_.find(name);
  return known != workers_.end() && known->second.is_drained;
}

bool placements::can_compute(const std::string& name) const {
  const auto known = workers_.find(name);
  return known != workers_.end() && known->second.is_ready && !known->second.is_drained;
}

uint32_t placements::layers_of(const std::string& name) const {
  uint32_t layers = 0;
  for (const auto& one : segments_)
    if (one.worker == name) layers += one.layers.count;
  return layers;
}

uint32_t placements::segments_of(const std::string& name) const {
  return uint32_t(std::ranges::count_if(segments_, [&](const auto& one) { return one.worker == name && !one.of_encoder; }));
}

std::vector<std::string> placements::spares() const {
  std::vector<std::string> idle;
  if (segments_.empty()) return idle;
  for (const auto& [name, known] : workers_)
    if (can_compute(name) && layers_of(name) == 0) idle.push_back(name);
  return idle;
}

void placements::cut(bool of_encoder, uint32_t layers, const std::vector<std::string>& by) {
  uint64_t threads = 0, before = 0;
  for (const auto& name : by) threads += workers_.at(name).threads;
  uint32_t first = 0;
  for (uint32_t i = 0; i < by.size(); ++i) {
    before += workers_.at(by[i]).threads;
    // Every worker that follows gets one layer at least, and so does this one.
    const auto behind = uint32_t(by.size()) - 1 - i;
    const auto end = std::clamp(uint32_t((layers * before + threads / 2) / threads), first + 1, layers - behind);
    segments_.push_back({of_encoder, i, {first, end - first}, by[i]});
    first = end;
  }
}

void placements::cut() {
  std::vector<std::string> by;
  for (const auto& [name, known] : workers_)
    if (can_compute(name) && by.size() < config_.segments) by.push_back(name);
  if (by.empty()) return;
  // As many segments as were asked for, also where workers are still missing: the number of stages is fixed.
  for (size_t i = 0; by.size() < config_.segments; ++i) by.push_back(by[i]);
  std::ranges::sort(by);
  if (config_.encoder_layers > 0) cut(true, config_.encoder_layers, by);
  cut(false, config_.layers, by);
}

const std::vector<segment_place>& placements::decide(int64_t now_ns) {
  if (segments_.empty()) {
    const auto ready = std::ranges::count_if(workers_, [&](const auto& one) { return can_compute(one.first); });
    const bool waited = first_ready_ns_ >= 0 && now_ns - first_ready_ns_ >= config_.start_patience_ns;
    if (ready >= config_.segments || waited) cut();
    return segments_;
  }
  for (const auto& one : segments_) {
    const std::string former = one.worker;
    if (can_compute(former)) continue;
    const auto idle = spares();
    std::string next;
    if (!idle.empty()) next = idle.front();
    const auto& known = workers_.at(former);
    const bool may_return = !known.is_ready && !known.is_drained && now_ns - known.lost_ns < config_.return_patience_ns;
    if (next.empty() && !may_return)
      for (const auto& [name, other] : workers_)
        if (can_compute(name) && (next.empty() || layers_of(name) < layers_of(next))) next = name;
    if (next.empty()) continue;
    // All that this worker had: the stacks are cut alike.
    for (auto& moved : segments_)
      if (moved.worker == former && (moved.index == one.index)) moved.worker = next;
  }
  for (const auto& idle : spares())
    for (const auto& one : segments_)
      if (segments_of(one.worker) > 1) {
        const uint32_t index = one.index;
        for (auto& moved : segments_)
          if (moved.index == index) moved.worker = idle;
        break;
      }
  return segments_;
}

} // namespace troupe
