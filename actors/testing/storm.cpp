#include "actors/testing/storm.hpp"

#include "actors/failure.hpp"

#include <algorithm>

namespace troupe::testing {
namespace {

using namespace std::chrono_literals;

bool is_supervisor(const std::string& path) { return path.ends_with("/supervisor") || path == paths::sequences; }
bool is_sequence(const std::string& path) { return path.starts_with(paths::sequences + "/"); }

/// Observed on the way: sent once, for a client that wants them.
bool is_for_client(const letter& here) {
  return here.facts.kind == letter_kind::hidden_states && (here.to.path == paths::scheduler || is_sequence(here.to.path));
}

/// Without it the step under way fails.
bool is_needed(const letter& here) {
  const auto kind = here.facts.kind;
  return kind >= letter_kind::forward_step && kind <= letter_kind::step_progress && !is_sequence(here.to.path);
}

} // namespace

observers storm::eyes() {
  observers eyes;
  eyes.traffic = [this](letter& here) { return on_letter(here); };
  eyes.started = [this](const player& one) {
    if (one.life > 1) recovery_until_ = step_ + 40;
    if (trace_ && troupe_) note("++ started", one.name());
  };
  eyes.ended = [this](const player& one, const caf::error& reason) {
    harmed_.erase(one.id);
    lies_.erase(one.id);
    if (troupe_) troupe_->sim.thaw(one.id);
    if (trace_ && troupe_) note("-- ended", one.name() + ": " + reason_text(reason));
  };
  return eyes;
}

void storm::begin(simulated_troupe& over) {
  troupe_ = &over;
  on_ = true;
  over.sim.early_timers(weather_.early_timers);
}

// -- letters -----------------------------------------------------------------

fate storm::on_letter(letter& here) {
  if (!troupe_) return fate::pass;
  look(here);
  effect_.clear();
  auto result = fate::pass;
  if (on_) {
    ++tally_.letters;
    result = strike_letter(here);
  }
  if (trace_) note(here, effect_);
  return result;
}

/// Learns from what passes by who is there and who got on.
void storm::look(const letter& here) {
  const auto& content = here.element->content();
  if (here.facts.kind == letter_kind::forward_step) newest_step_ = std::max(newest_step_, here.facts.step);
  if (here.facts.kind == letter_kind::append_token) {
    const auto& append = content.get_as<v1::AppendToken>(0);
    const auto told = lies_.find(append.sequence_id());
    if (told != lies_.end() && append.position() > told->second.position) told->second = {0, append.position()};
  }
  if (here.facts.kind != letter_kind::join_batch) return;
  const auto& join = content.get_as<v1::JoinBatch>(0);
  harmed_.emplace(join.sequence_id(), 0);
  lies_.emplace(join.sequence_id(), lied_to{});
  if (int64_t(join.logits_from()) < join.tokens_size() - 1 || join.want_hidden_states()) scoring_.insert(join.sequence_id());
}

bool storm::happens(strike kind) {
  const auto rate = weather_.of(kind);
  return rate > 0 && troupe_->sim.draw(1000) < rate;
}

fate storm::strike_letter(letter& here) {
  const auto kind = here.facts.kind;
  auto& sim = troupe_->sim;
  const bool arrives_at_scheduler = kind == letter_kind::logits_result && here.to.path == paths::scheduler;
  const auto plan = arrives_at_scheduler ? here.element->content().get_as<v1::LogitsResult>(0).plan() : v1::StepPlan{};
  const auto arrives = [&] {
    if (arrives_at_scheduler) got_on(plan);
    return fate::pass;
  };
  if (!weather_.windy[size_t(kind)] || !may_come_twice(kind)) return arrives();
  const bool for_scoring =
    is_sequence(here.to.path) && kind == letter_kind::logits_result && scoring_.contains(here.to.id);
  const bool is_steady = is_for_client(here) || for_scoring;
  const uint32_t weight = is_needed(here);
  ++tally_.windy_letters;
  if (may_be_lost(kind) && !is_steady) {
    if (happens(strike::lose) && (weight == 0 || may_harm(weight))) {
      if (weight > 0) harm(weight);
      count(strike::lose);
      effect_ = "lost";
      return fate::drop;
    }
    if (happens(strike::late) && may_harm(1)) {
      harm(1);
      count(strike::late);
      postpone(here);
      return fate::pass;
    }
    for (const auto how : {strike::nan, strike::infinity, strike::shape})
      if (happens(how) && lie(here, how)) return fate::pass;
    if (happens(strike::delay)) {
      count(strike::delay);
      const auto steps = 1 + sim.draw(sim.draw(4) == 0 ? 400 : 40);
      effect_ = "held back for " + std::to_string(steps) + " steps";
      hold(here, std::move(here.element), steps);
      return fate::pass;
    }
  }
  if (happens(strike::duplicate)) {
    count(strike::duplicate);
    effect_ = "twice";
    if (sim.draw(3) == 0) {
      arrives();
      return fate::duplicate;
    }
    const auto steps = 1 + sim.draw(sim.draw(2) == 0 ? 600 : 60);
    effect_ += ", again in " + std::to_string(steps) + " steps";
    hold(here,
         caf::make_mailbox_element(here.element->sender, here.element->mid, here.element->stages,
                                   here.element->copy_content_to_message()),
         steps);
  }
  return arrives();
}

void storm::hold(letter& here, caf::mailbox_element_ptr element, uint64_t steps) {
  held_.push_back({step_ + steps, here.to.actor.lock(), std::move(element)});
}

/// Until after the deadline of its step.
void storm::postpone(letter& here) {
  const auto by = std::chrono::milliseconds(400 + troupe_->sim.draw(1200));
  effect_ = "late by " + std::to_string(by.count()) + " ms";
  auto& clock = troupe_->sim.system().clock();
  if (auto to = here.to.actor.lock()) clock.schedule_message(clock.now() + by, to, std::move(here.element));
}

bool storm::lie(letter& here, strike kind) {
  // The same sequence three times in a row would be its end.
  const bool is_enough = std::any_of(lies_.begin(), lies_.end(), [](const auto& one) { return one.second.lies >= 2; });
  if (is_enough || !may_harm(2)) return false;
  const auto how = kind == strike::nan        ? spoiling::nan
                   : kind == strike::infinity ? spoiling::infinity
                                              : spoiling::shape;
  const bool is_request = here.facts.kind == letter_kind::attend_step || here.facts.kind == letter_kind::project_step;
  if (is_request && kind != strike::shape) return false; // A lie is told by who answers.
  if (!spoil(here.element, how, troupe_->sim.draw(1 << 20))) return false;
  for (auto& [id, told] : lies_) ++told.lies;
  harm(2);
  count(kind);
  effect_ = "spoiled: " + std::string(to_string(kind));
  return true;
}

// -- what a sequence can bear --------------------------------------------------

bool storm::may_harm(uint32_t weight) const {
  constexpr uint32_t bearable = 4; // Of eight; the rest is for what follows, such as a stage replaced for nothing.
  if (wounds_ + weight > bearable) return false;
  return std::all_of(harmed_.begin(), harmed_.end(), [&](const auto& one) { return one.second + weight <= bearable; });
}

void storm::harm(uint32_t weight) {
  wounds_ += weight;
  for (auto& [id, harmed] : harmed_) harmed += weight;
}

/// These sequences' step succeeded.
void storm::got_on(const v1::StepPlan& plan) {
  const auto id = id_of(plan);
  if (id != newest_step_ || id == newest_result_) return;
  newest_result_ = id;
  for (const auto sequence : plan.sequence_ids())
    if (const auto it = harmed_.find(sequence); it != harmed_.end()) it->second = 0;
  wounds_ = 0;
}

// -- actors --------------------------------------------------------------------

void storm::before_step() {
  ++step_;
  if (!held_.empty() || !frozen_.empty()) release(!troupe_->sim.can_run());
  if (!on_) return;
  if (step_ > weather_.steps) return end();
  if (blows_ >= weather_.blows_max) return;
  const bool recovering = step_ < recovery_until_ && happens(strike::in_recovery);
  for (const auto kind : {strike::crash, strike::kill, strike::hang, strike::freeze, strike::abandon})
    if (happens(kind) || (recovering && weather_.of(kind) > 0 && troupe_->sim.draw(4) == 0)) {
      strike_actor(kind);
      while (happens(strike::two_at_once) && blows_ < weather_.blows_max) {
        const auto before = blows_;
        strike_actor(kind);
        if (blows_ == before) break;
        count(strike::two_at_once);
      }
    }
  if (happens(strike::clock_jump)) jump();
}

void storm::strike_actor(strike kind) {
  auto& cast = troupe_->cast;
  if (cast.empty()) return;
  auto it = cast.begin();
  std::advance(it, int64_t(troupe_->sim.draw(cast.size())));
  const auto* victim = troupe_->find_player(it->first);
  if (!victim || !victim->alive || troupe_->sim.is_frozen(victim->id)) return;
  const uint32_t weight = is_supervisor(victim->path) || victim->path == paths::directory ? 3 : 2;
  if (!may_harm(weight)) return;
  harm(weight);
  ++blows_;
  hit(*victim, kind);
  count(kind);
  ++tally_.victims[part_of(victim->path)];
  if (is_supervisor(victim->path)) count(strike::at_supervisor);
  if (step_ < recovery_until_) count(strike::in_recovery);
}

void storm::hit(const player& victim, strike kind) {
  auto& sim = troupe_->sim;
  const auto handle = victim.stand_in.lock();
  if (trace_) note("** " + std::string(to_string(kind)), victim.name());
  switch (kind) {
  case strike::crash: return troupe_->crash(handle, "simulated");
  case strike::kill: return troupe_->kill(handle, sim.draw(2) == 0);
  case strike::abandon: return troupe_->abandon(victim.path);
  case strike::hang: return sim.freeze(victim.id);
  default:
    sim.freeze(victim.id);
    frozen_.push_back({victim.id, step_ + 1 + sim.draw(400), sim.now() + std::chrono::milliseconds(sim.draw(300))});
  }
}

void storm::jump() {
  if (!may_harm(2)) return;
  harm(2);
  count(strike::clock_jump);
  const auto by = std::chrono::milliseconds(troupe_->sim.draw(3) == 0 ? 61'000 : 400 + troupe_->sim.draw(2000));
  if (trace_) note("** clock jump", "by " + std::to_string(by.count()) + " ms");
  troupe_->sim.jump(by);
}

/// Lets go what is due, or all.
void storm::release(bool all) {
  for (size_t i = 0; i < held_.size();) {
    if (!all && held_[i].due > step_) {
      ++i;
      continue;
    }
    auto letter = std::move(held_[i]);
    held_.erase(held_.begin() + int64_t(i));
    if (letter.to) letter.to->enqueue(std::move(letter.element), nullptr);
  }
  auto& sim = troupe_->sim;
  std::erase_if(frozen_, [&](const frozen_actor& one) {
    if (step_ < one.due && sim.now() < one.until) return false;
    sim.thaw(one.id);
    return true;
  });
}

bool storm::stir() {
  const bool any = !held_.empty() || !frozen_.empty();
  for (auto& one : frozen_) one.due = 0;
  if (any) release(true);
  return any;
}

void storm::end() {
  if (!on_) return;
  on_ = false;
  if (trace_) note("** the storm is over", "");
  troupe_->sim.early_timers(0);
  stir();
}

} // namespace troupe::testing
