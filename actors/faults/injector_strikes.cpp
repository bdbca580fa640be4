// What each effect does.
#include "actors/failure.hpp"
#include "actors/faults/injector_core.hpp"
#include "actors/paths.hpp"
#include "messages/caf_message.hpp"
#include "troupe/v1/audit.pb.h"

#include <algorithm>
#include <utility>

namespace troupe {
namespace {

constexpr uint32_t flood_messages = 10'000;
constexpr double answer_late_ms = 1000;
constexpr double reorder_longest_ms = 20; // If nobody else comes to be passed by.

/// Whether the actor at `path` has what the effect strikes: only heads keep caches, and only they and shards own weights.
bool can_befall(const v1::Effect& effect, const std::string& path) {
  const bool is_head = path.find("/head/") != std::string::npos;
  if (effect.has_flip_cache_bit()) return is_head;
  return !effect.has_flip_weight_bit() || is_head || path.find("/shard/") != std::string::npos;
}

} // namespace

bool injector_core::other_struck(const trigger_state& trigger) const {
  const auto& name = trigger.fault().trigger().after_fault();
  return !name.empty() && std::any_of(triggers_.begin(), triggers_.end(), [&](const auto& other) {
    return other.fault().name() == name && other.strikes() > 0;
  });
}

/// True: the message is not to be delivered (now).
bool injector_core::strike(const passing_message& message, member& to, caf::mailbox_element_ptr& element) {
  for (auto& trigger : triggers_) {
    const auto& effect = trigger.fault().effect();
    if (trigger.by_clock() || !trigger.fits(message) || !is_possible(effect, element->content())) continue;
    if (effect.has_stale_handle() && !former_.contains(to.path)) continue;
    if (!trigger.is_due(message, now_ms(), other_struck(trigger), dice_)) continue;
    if (!strikes_actors(effect)) {
      if (strike_message(trigger, message, to, element)) return true;
      continue;
    }
    if (auto* victim = choose_victim(trigger.fault(), &to)) strike_actor(trigger, &message, *victim, &element);
    if (is_held_by_hang(nullptr, to, element)) return true;
  }
  return false;
}

void injector_core::note_strike(trigger_state& trigger, const passing_message* message, const member& who) {
  trigger.struck(now_ms());
  uint64_t request = who.request;
  if (request == 0 && message && message->rows.size() == 1) request = message->rows.front().request;
  journal_.struck(trigger.fault(), who.path, message, request, ends_actors(trigger.fault().effect()), journal_ms());
}

bool injector_core::strike_message(trigger_state& trigger, const passing_message& message, member& to,
                                   caf::mailbox_element_ptr& element) {
  const auto& effect = trigger.fault().effect();
  note_strike(trigger, &message, to);
  switch (effect.kind_case()) {
  case v1::Effect::kDrop: return true;
  case v1::Effect::kDelay:
    deliver_after(effect.delay().ms() + effect.delay().jitter_ms() * dice_.uniform(), to.id, std::move(element));
    return true;
  case v1::Effect::kAnswerLate:
    deliver_after(effect.answer_late().ms() > 0 ? effect.answer_late().ms() : answer_late_ms, to.id, std::move(element));
    return true;
  case v1::Effect::kDuplicate:
    for (uint32_t left = std::max(effect.duplicate().copies(), 1u); left > 0; --left) deliver(to, copy_of(*element));
    return false;
  case v1::Effect::kReorder:
    to.waiting.push_back({std::move(element), std::max(effect.reorder().by(), 1u)});
    set_alarm(reorder_longest_ms, reorder_is_over{to.id});
    return true;
  case v1::Effect::kStaleHandle:
    former_.at(to.path)->enqueue(std::move(element), self_->context());
    return true;
  case v1::Effect::kFlood: {
    const auto junk = worthless_copy(*element);
    for (uint32_t left = effect.flood().messages() > 0 ? effect.flood().messages() : flood_messages; left > 0; --left)
      enqueue(to, caf::make_mailbox_element(element->sender, caf::make_message_id(), {}, junk));
    return false;
  }
  default: corrupt(element, effect, dice_); return false;
  }
}

injector_core::member* injector_core::choose_victim(const v1::Fault& fault, member* receiver) {
  const auto& path = fault.selector().path();
  const auto can_strike = [&](const member& one) { return !one.hung && can_befall(fault.effect(), one.path); };
  if (receiver && can_strike(*receiver) && (path.empty() || matches_glob(path, receiver->path))) return receiver;
  if (path.empty()) return nullptr;
  std::vector<member*> all;
  for (auto& [id, one] : members_)
    if (can_strike(one) && !one.path.starts_with("/client/") && matches_glob(path, one.path)) all.push_back(&one);
  return all.empty() ? nullptr : all[dice_.below(all.size())];
}

void injector_core::try_by_clock(size_t fault) {
  auto& trigger = triggers_[fault];
  const bool is_possible_now = trigger.fault().effect().has_clock_jump() ||
                               std::any_of(members_.begin(), members_.end(), [&](const auto& each) {
                                 return !each.second.hung && can_befall(trigger.fault().effect(), each.second.path) &&
                                        matches_glob(trigger.fault().selector().path(), each.second.path);
                               });
  if (!is_possible_now || !trigger.is_due_by_clock(now_ms(), other_struck(trigger), dice_)) return;
  if (auto* victim = choose_victim(trigger.fault(), nullptr)) strike_actor(trigger, nullptr, *victim, nullptr);
}

void injector_core::send_end(const member& victim, const caf::error& reason, bool urgent) {
  const auto id = caf::make_message_id(urgent ? caf::message_priority::high : caf::message_priority::normal);
  victim.target->enqueue(nullptr, id, caf::make_message(caf::exit_msg{victim.target->address(), reason}), self_->context());
}

void injector_core::strike_actor(trigger_state& trigger, const passing_message* message, member& victim,
                                 caf::mailbox_element_ptr* element) {
  const auto& effect = trigger.fault().effect();
  note_strike(trigger, message, victim);
  switch (effect.kind_case()) {
  case v1::Effect::kThrow:
    if (message && message->to == victim.path && make_it_throw(*element, victim.path)) return;
    return send_end(victim, make_error(failure::exception, "thrown by a fault plan"), true);
  case v1::Effect::kAllocationFailure: return send_end(victim, make_error(failure::exception, "std::bad_alloc"), true);
  case v1::Effect::kExit: return send_end(victim, caf::exit_reason::user_shutdown, false);
  case v1::Effect::kKill: return send_end(victim, caf::exit_reason::kill, true);
  case v1::Effect::kHang:
    victim.hung = true;
    victim.keeps_messages = effect.hang().for_ms() > 0;
    if (victim.keeps_messages) set_alarm(effect.hang().for_ms(), hang_is_over{victim.id});
    return;
  case v1::Effect::kSlowDown: {
    const auto& slow = effect.slow_down();
    victim.slow = {std::max(slow.factor(), 1.0), caf::timespan(int64_t(slow.added_ms() * 1e6)), std::nullopt};
    if (slow.for_ms() > 0) victim.slow->until = self_->clock().now() + caf::timespan(int64_t(slow.for_ms() * 1e6));
    return;
  }
  case v1::Effect::kFlipCacheBit:
  case v1::Effect::kFlipWeightBit: {
    v1::FlipOwnBit strike;
    strike.set_in_cache(effect.has_flip_cache_bit());
    strike.set_draw(dice_.next());
    return enqueue(victim, caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, std::move(strike)));
  }
  case v1::Effect::kClockJump: return config_.jump_clock(caf::timespan(int64_t(effect.clock_jump().ms() * 1e6)));
  default: return;
  }
}

} // namespace troupe
