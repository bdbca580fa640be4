#include "actors/faults/fault_journal.hpp"

#include <algorithm>

namespace troupe {

uint32_t fault_journal::actor_started(const std::string& path, uint64_t request, double now_ms) {
  const uint32_t life = started_[path]++;
  restarts_ += life > 0;
  for (auto& strike : open_)
    if (strike.path == path || (request != 0 && strike.request == request)) set_replaced(strike, now_ms);
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
  open_.push_back({int(strikes_.size()) - 1, path, request, rows_replayed_, replay_ms_, !needs_replacement});
}

void fault_journal::set_replaced(open_strike& strike, double now_ms) {
  if (strike.replaced) return;
  strike.replaced = true;
  strike.steps_before = steps_;
  strikes_[size_t(strike.index)].set_replaced_ms(now_ms);
}

void fault_journal::released(const std::string& path, double now_ms) {
  for (auto& strike : open_)
    if (strike.path == path) set_replaced(strike, now_ms);
}

void fault_journal::request_ended(uint64_t request) {
  for (auto& strike : open_)
    if (request != 0 && strike.request == request) {
      strike.replaced = true;
      strike.request = 0;
    }
}

void fault_journal::step_came_through(double now_ms) {
  if (replay_began_ms_) replay_ms_ += now_ms - *replay_began_ms_;
  replay_began_ms_.reset();
  std::erase_if(open_, [&](const auto& strike) {
    auto& what = strikes_[size_t(strike.index)];
    // A step that was under way may come through without the one who was replaced: it had answered before it was struck.
    const bool concerns = steps_ > strike.steps_before && (strike.request == 0 || served_.contains(strike.request));
    const bool is_over = strike.replaced && (!what.has_replaced_ms() || (concerns && !behind_));
    if (!is_over) return false;
    what.set_recovered_ms(now_ms);
    what.set_rows_replayed(rows_replayed_ - strike.replayed_before);
    what.set_replay_ms(replay_ms_ - strike.replay_before_ms);
    return true;
  });
}

void fault_journal::rows_were_sent(const std::vector<request_rows>& rows, double now_ms) {
  ++steps_;
  behind_ = false;
  replay_began_ms_.reset();
  served_.clear();
  for (const auto& each : rows) {
    served_.insert(each.request);
    auto& known = sent_[each.request];
    rows_ += each.count;
    const uint32_t end = each.first + each.count;
    if (each.first < known) {
      rows_replayed_ += std::min(known, end) - each.first;
      replay_began_ms_ = now_ms;
    }
    behind_ = behind_ || end < known;
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
