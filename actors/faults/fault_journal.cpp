#include "actors/faults/fault_journal.hpp"

#include "actors/interfaces/paths.hpp"

#include <algorithm>

namespace troupe {

uint32_t fault_journal::actor_started(const std::string& path, uint64_t request, double now_ms) {
  const uint32_t incarnation = started_[path]++;
  restarts_ += incarnation > 0;
  for (auto& injection : open_)
    if (injection.path == path || (request != 0 && injection.request == request)) set_replaced(injection, now_ms);
  if (incarnations_.size() >= incarnations_max && !ended_.empty())
    incarnations_.erase(ended_.extract(ended_.begin()).value());
  running_[{path, incarnation}] = ++starts_;
  auto& one = incarnations_[starts_];
  one.set_path(path);
  one.set_incarnation(incarnation);
  one.set_started_ms(now_ms);
  return incarnation;
}

void fault_journal::actor_ended(const std::string& path, uint32_t incarnation, const std::string& reason, double now_ms) {
  const auto known = running_.extract({path, incarnation});
  if (known.empty()) return;
  auto& one = incarnations_.at(known.mapped());
  one.set_ended_ms(now_ms);
  one.set_reason(reason);
  ended_.insert(known.mapped());
  if (paths::is_sequence(path)) started_.erase(path);
}

void fault_journal::injected(const v1::Fault& fault, const std::string& path, const passing_message* message,
                             uint64_t request, bool needs_replacement, double now_ms) {
  if (++injected_ > injections_max) return;
  auto& injection = injections_.emplace_back();
  injection.set_fault(fault.name());
  injection.set_path(path);
  injection.set_time_ms(now_ms);
  if (message) {
    injection.set_from(std::string(message->from));
    injection.set_message(std::string(message->type));
  }
  open_.push_back({int(injections_.size()) - 1, path, request, rows_replayed_, replay_ms_, !needs_replacement});
}

void fault_journal::set_replaced(open_injection& injection, double now_ms) {
  if (injection.replaced) return;
  injection.replaced = true;
  injection.steps_before = steps_;
  injections_[size_t(injection.index)].set_replaced_ms(now_ms);
}

void fault_journal::released(const std::string& path, double now_ms) {
  for (auto& injection : open_)
    if (injection.path == path) set_replaced(injection, now_ms);
}

void fault_journal::request_ended(uint64_t request) {
  for (auto& injection : open_)
    if (request != 0 && injection.request == request) {
      injection.replaced = true;
      injection.request = 0;
    }
}

void fault_journal::step_came_through(double now_ms) {
  if (replay_began_ms_) replay_ms_ += now_ms - *replay_began_ms_;
  replay_began_ms_.reset();
  std::erase_if(open_, [&](const auto& injection) {
    auto& what = injections_[size_t(injection.index)];
    // A step that was under way may come through without the replacement: the target had answered before the injection.
    const bool concerns = steps_ > injection.steps_before && (injection.request == 0 || served_.contains(injection.request));
    const bool is_over = injection.replaced && (!what.has_replaced_ms() || (concerns && !behind_));
    if (!is_over) return false;
    what.set_recovered_ms(now_ms);
    what.set_rows_replayed(rows_replayed_ - injection.replayed_before);
    what.set_replay_ms(replay_ms_ - injection.replay_before_ms);
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

void fault_journal::training_step_ordered(uint64_t update, bool is_evaluation) {
  ordered_ = is_evaluation ? 0 : update + 1;
  if (is_evaluation) micro_batches_sent_.erase(ordered_);
  newest_update_ = std::max(newest_update_, ordered_);
  behind_ = !is_evaluation && ordered_ < newest_update_;
}

void fault_journal::training_attempt_began(double now_ms) {
  ++steps_;
  replay_began_ms_.reset();
  if (micro_batches_sent_[ordered_] > 0) replay_began_ms_ = now_ms;
}

void fault_journal::micro_batch_was_sent(uint32_t index, uint64_t rows) {
  rows_ += rows;
  auto& sent = micro_batches_sent_[ordered_];
  if (index < sent) rows_replayed_ += rows;
  sent = std::max(sent, index + 1);
}

v1::FaultLog fault_journal::log() const {
  v1::FaultLog log;
  log.mutable_injections()->Add(injections_.begin(), injections_.end());
  for (const auto& [number, one] : incarnations_) *log.add_incarnations() = one;
  log.set_injections_total(injected_);
  log.set_restarts(restarts_);
  log.set_messages(messages_);
  log.set_rows(rows_);
  log.set_rows_replayed(rows_replayed_);
  return log;
}

} // namespace troupe
