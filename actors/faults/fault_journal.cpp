#include "actors/faults/fault_journal.hpp"

#include <algorithm>

namespace troupe {

uint32_t fault_journal::actor_started(const std::string& path, uint64_t request, double now_ms) {
  const uint32_t life = started_[path]++;
  restarts_ += life > 0;
  for (auto& strike : open_)
    if (strike.path == path || (request != 0 && strike.request == request)) strike.replaced = true;
  if (lives_.size() >= lives_max) {
    const auto oldest = std::find_if(lives_.begin(), lives_.end(), [](const auto& one) { return one.has_ended_ms(); });
    if (oldest != lives_.end()) lives_.erase(oldest);
  }
  auto& one = lives_.emplace_back();
  one.set_path(path);
  one.set_life(life);
  one.set_started_ms(now_ms);
  return life;
}

void fault_journal::actor_ended(const std::string& path, uint32_t life, const std::string& reason, double now_ms) {
  const auto it = std::find_if(lives_.rbegin(), lives_.rend(),
                               [&](const auto& one) { return one.path() == path && one.life() == life; });
  if (it == lives_.rend() || it->has_ended_ms()) return;
  it->set_ended_ms(now_ms);
  it->set_reason(reason);
}

void fault_journal::struck(const v1::Fault& fault, const std::string& path, const passing_message* message,
                           uint64_t request, bool needs_replacement, double now_ms) {
  auto& strike = strikes_.emplace_back();
  strike.set_fault(fault.name());
  strike.set_path(path);
  strike.set_time_ms(now_ms);
  if (message) {
    strike.set_from(std::string(message->from));
    strike.set_message(std::string(message->type));
  }
  open_.push_back({int(strikes_.size()) - 1, path, request, !needs_replacement});
}

void fault_journal::released(const std::string& path) {
  for (auto& strike : open_)
    if (strike.path == path) strike.replaced = true;
}

void fault_journal::request_ended(uint64_t request) {
  for (auto& strike : open_)
    if (request != 0 && strike.request == request) strike.replaced = true;
}

void fault_journal::step_came_through(double now_ms) {
  std::erase_if(open_, [&](const auto& strike) {
    if (strike.replaced) strikes_[size_t(strike.index)].set_recovered_ms(now_ms);
    return strike.replaced;
  });
}

void fault_journal::rows_were_sent(const std::vector<request_rows>& rows) {
  for (const auto& each : rows) {
    auto& known = sent_[each.request];
    rows_ += each.count;
    const uint32_t end = each.first + each.count;
    if (each.first < known) rows_replayed_ += std::min(known, end) - each.first;
    known = std::max(known, end);
  }
}

v1::FaultLog fault_journal::log() const {
  v1::FaultLog log;
  log.mutable_strikes()->Add(strikes_.begin(), strikes_.end());
  log.mutable_lives()->Add(lives_.begin(), lives_.end());
  log.set_restarts(restarts_);
  log.set_messages(messages_);
  log.set_rows(rows_);
  log.set_rows_replayed(rows_replayed_);
  return log;
}

} // namespace troupe
