// What each effect does.
#include "actors/faults/injector_core.hpp"
#include "actors/interfaces/paths.hpp"
#include "actors/supervision/failure.hpp"
#include "messages/caf_message.hpp"
#include "troupe/v1/scrub.pb.h"

#include <algorithm>
#include <utility>

namespace troupe {
namespace {

constexpr uint32_t flood_messages = 10'000;
constexpr double answer_late_ms = 1000;
constexpr double reorder_longest_ms = 20; // If no other message passes it.

/// Whether the actor at `path` has what the effect changes: only heads keep caches, and only they and shards own weights.
bool applies_to(const v1::Effect& effect, const std::string& path) {
  const bool is_head = path.find("/head/") != std::string::npos;
  if (effect.has_flip_cache_bit()) return is_head;
  return !effect.has_flip_weight_bit() || is_head || path.find("/shard/") != std::string::npos;
}

} // namespace

bool injector_core::was_other_injected(const trigger_state& trigger) const {
  const auto& name = trigger.fault().trigger().after_fault();
  return !name.empty() && std::any_of(triggers_.begin(), triggers_.end(), [&](const auto& other) {
    return other.fault().name() == name && other.injections() > 0;
  });
}

/// True: the message is not to be delivered (now).
bool injector_core::inject(const passing_message& message, member& to, caf::mailbox_element_ptr& element) {
  for (auto& trigger : triggers_) {
    const auto& effect = trigger.fault().effect();
    if (trigger.by_clock() || !trigger.fits(message) || !is_possible(effect, element->content())) continue;
    if (effect.has_stale_handle() && !former_.contains(to.path)) continue;
    if (!trigger.is_due(message, now_ms(), was_other_injected(trigger), rng_)) continue;
    if (!targets_actors(effect)) {
      if (inject_into_message(trigger, message, to, element)) return true;
      continue;
    }
    if (auto* target = choose_target(trigger.fault(), &to)) inject_into_actor(trigger, &message, *target, &element);
    if (!element || is_held_by_hang(nullptr, to, element)) return true;
  }
  return false;
}

void injector_core::note_injection(trigger_state& trigger, const passing_message* message, const member& target) {
  trigger.injected(now_ms());
  uint64_t request = target.request;
  if (request == 0 && message && message->rows.size() == 1) request = message->rows.front().request;
  journal_.injected(trigger.fault(), target.path, message, request, ends_actors(trigger.fault().effect()), journal_ms());
}

bool injector_core::inject_into_message(trigger_state& trigger, const passing_message& message, member& to,
                                        caf::mailbox_element_ptr& element) {
  const auto& effect = trigger.fault().effect();
  note_injection(trigger, &message, to);
  switch (effect.kind_case()) {
  case v1::Effect::kDrop: return true;
  case v1::Effect::kDelay:
    deliver_after(effect.delay().ms() + effect.delay().jitter_ms() * rng_.uniform(), to.id, std::move(element));
    return true;
  case v1::Effect::kAnswerLate:
    deliver_after(effect.answer_late().ms() > 0 ? effect.answer_late().ms() : answer_late_ms, to.id, std::move(element));
    return true;
  case v1::Effect::kDuplicate:
    for (uint32_t left = std::max(effect.duplicate().copies(), 1u); left > 0; --left) deliver(to, copy_of(*element));
    return false;
  case v1::Effect::kReorder:
    to.waiting.push_back({std::move(element), std::max(effect.reorder().by(), 1u)});
    set_timer(reorder_longest_ms, reorder_is_over{to.id});
    return true;
  case v1::Effect::kStaleHandle:
    former_.at(to.path)->enqueue(std::move(element), self_->context());
    return true;
  case v1::Effect::kFlood: {
    const auto junk = useless_copy(*element);
    for (uint32_t left = effect.flood().messages() > 0 ? effect.flood().messages() : flood_messages; left > 0; --left)
      enqueue(to, caf::make_mailbox_element(element->sender, caf::make_message_id(), {}, junk));
    return false;
  }
  default: corrupt(element, effect, rng_); return false;
  }
}

injector_core::member* injector_core::choose_target(const v1::Fault& fault, member* receiver) {
  const auto& path = fault.selector().path();
  const auto can_be_hit = [&](const member& one) { return !one.hung && applies_to(fault.effect(), one.path); };
  if (receiver && can_be_hit(*receiver) && (path.empty() || matches_glob(path, receiver->path))) return receiver;
  if (path.empty()) return nullptr;
  std::vector<member*> all;
  for (auto& [id, one] : members_)
    if (can_be_hit(one) && !one.path.starts_with("/client/") && matches_glob(path, one.path)) all.push_back(&one);
  return all.empty() ? nullptr : all[rng_.below(all.size())];
}

void injector_core::try_by_clock(size_t fault) {
  auto& trigger = triggers_[fault];
  const bool is_possible_now = trigger.fault().effect().has_clock_jump() ||
                               std::any_of(members_.begin(), members_.end(), [&](const auto& each) {
                                 return !each.second.hung && applies_to(trigger.fault().effect(), each.second.path) &&
                                        matches_glob(trigger.fault().selector().path(), each.second.path);
                               });
  if (!is_possible_now || !trigger.is_due_by_clock(now_ms(), was_other_injected(trigger), rng_)) return;
  if (auto* target = choose_target(trigger.fault(), nullptr)) inject_into_actor(trigger, nullptr, *target, nullptr);
}

void injector_core::send_end(const member& target, const caf::error& reason, bool urgent) {
  const auto id = caf::make_message_id(urgent ? caf::message_priority::high : caf::message_priority::normal);
  target.target->enqueue(nullptr, id, caf::make_message(caf::exit_msg{target.target->address(), reason}), self_->context());
}

void injector_core::inject_into_actor(trigger_state& trigger, const passing_message* message, member& target,
                                      caf::mailbox_element_ptr* element) {
  const auto& effect = trigger.fault().effect();
  note_injection(trigger, message, target);
  switch (effect.kind_case()) {
  case v1::Effect::kThrow:
    // A message that an actor drops unread, because it is of a step that was given up, throws nothing: the end that follows it does.
    if (message && message->to == target.path && make_it_throw(*element, target.path)) {
      deliver(target, std::move(*element));
      return send_end(target, make_error(failure::exception, "thrown by a fault plan"), false);
    }
    return send_end(target, make_error(failure::exception, "thrown by a fault plan"), true);
  case v1::Effect::kAllocationFailure: return send_end(target, make_error(failure::out_of_memory, "out of memory"), true);
  case v1::Effect::kExit: return send_end(target, caf::exit_reason::user_shutdown, false);
  case v1::Effect::kKill: return send_end(target, caf::exit_reason::kill, true);
  case v1::Effect::kHang:
    target.hung = true;
    target.keeps_messages = effect.hang().for_ms() > 0;
    if (target.keeps_messages) set_timer(effect.hang().for_ms(), hang_is_over{target.id});
    return;
  case v1::Effect::kSlowDown: {
    const auto& slow = effect.slow_down();
    target.slow = {std::max(slow.factor(), 1.0), caf::timespan(int64_t(slow.added_ms() * 1e6)), std::nullopt, {}};
    if (slow.for_ms() > 0) target.slow->until = self_->clock().now() + caf::timespan(int64_t(slow.for_ms() * 1e6));
    return;
  }
  case v1::Effect::kFlipCacheBit:
  case v1::Effect::kFlipWeightBit: {
    v1::FlipOwnBit order;
    order.set_in_cache(effect.has_flip_cache_bit());
    order.set_draw(rng_.next());
    return enqueue(target, caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, std::move(order)));
  }
  case v1::Effect::kClockJump: return config_.jump_clock(caf::timespan(int64_t(effect.clock_jump().ms() * 1e6)));
  default: return;
  }
}

} // namespace troupe
