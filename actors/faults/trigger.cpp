#include "actors/faults/trigger.hpp"

#include <algorithm>
#include <limits>

namespace troupe {

uint64_t fault_rng::next() {
  uint64_t z = state_ += 0x9e3779b97f4a7c15ull;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

trigger_state::trigger_state(const v1::Fault& fault) : fault_(&fault) {
  const auto& s = fault.selector();
  const auto& t = fault.trigger();
  by_clock_ = targets_actors(fault.effect()) && s.from().empty() && s.to().empty() && s.message().empty() &&
              t.nth_message() == 0 && !t.has_token_position() && t.request() == 0 && t.every_messages() == 0;
}

bool trigger_state::fits(const passing_message& message) const {
  const auto& s = fault_->selector();
  if (message.type.empty() || !fits_type(*fault_, message.type)) return false;
  if (!s.from().empty() && (message.from.empty() || !matches_glob(s.from(), message.from))) return false;
  // Without a link, a message to `path` is the opportunity.
  const auto& to = !s.to().empty() ? s.to() : !s.from().empty() && targets_actors(fault_->effect()) ? s.to() : s.path();
  if (!to.empty() && (message.to.empty() || !matches_glob(to, message.to))) return false;
  // Hidden states for an observer are not sent again when they are lost: they are no part of the step, which stays among the
  // stages.
  return !s.message().empty() || targets_actors(fault_->effect()) || message.type != "HiddenStates" ||
         message.to.starts_with("/replica/");
}

bool trigger_state::is_due(const passing_message& message, double now_ms, bool was_other_injected, fault_rng& rng) {
  has_fitted_ = true;
  ++fitting_;
  const auto& t = fault_->trigger();
  if (by_clock_ || fitting_ < t.nth_message()) return false;
  if (injections_ > 0 && fitting_ - fitting_at_injection_ < t.every_messages()) return false;
  if (t.request() != 0 || t.has_token_position()) {
    const auto fitting = [&](const request_rows& rows) {
      return (t.request() == 0 || rows.request == t.request()) &&
             (!t.has_token_position() || (rows.first <= t.token_position() && t.token_position() - rows.first < rows.count));
    };
    if (std::none_of(message.rows.begin(), message.rows.end(), fitting)) return false;
  }
  return may_fire(now_ms, was_other_injected, rng);
}

bool trigger_state::is_due_by_clock(double now_ms, bool was_other_injected, fault_rng& rng) {
  return by_clock_ && may_fire(now_ms, was_other_injected, rng);
}

bool trigger_state::may_fire(double now_ms, bool was_other_injected, fault_rng& rng) {
  const auto& t = fault_->trigger();
  if (injections_ >= injections_max() || now_ms < t.after_ms()) return false;
  if (t.duration_ms() > 0 && now_ms > t.after_ms() + t.duration_ms()) return false;
  if (injections_ > 0 && now_ms < injected_ms_ + t.every_ms()) return false;
  if (!t.after_restart_of().empty() && !restart_seen_) return false;
  if (!t.after_fault().empty() && !was_other_injected) return false;
  return t.probability() == 0 || rng.uniform() < t.probability();
}

uint64_t trigger_state::injections_max() const {
  const auto& t = fault_->trigger();
  if (t.repeat() > 0) return t.repeat();
  return t.duration_ms() > 0 || t.probability() > 0 ? std::numeric_limits<uint64_t>::max() : 1;
}

void trigger_state::injected(double now_ms) {
  ++injections_;
  injected_ms_ = now_ms;
  fitting_at_injection_ = fitting_;
}

void trigger_state::actor_started(std::string_view path, bool again) {
  has_fitted_ = has_fitted_ || concerns(*fault_, path);
  const auto& glob = fault_->trigger().after_restart_of();
  restart_seen_ = restart_seen_ || (again && !glob.empty() && matches_glob(glob, path));
}

std::optional<double> trigger_state::next_chance_ms(double now_ms) const {
  const auto& t = fault_->trigger();
  if (!by_clock_ || injections_ >= injections_max()) return std::nullopt;
  if (now_ms < t.after_ms()) return t.after_ms();
  if (t.every_ms() == 0 || (t.duration_ms() > 0 && now_ms + t.every_ms() > t.after_ms() + t.duration_ms())) return std::nullopt;
  return now_ms + t.every_ms();
}

} // namespace troupe
