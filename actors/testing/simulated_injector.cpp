#include "actors/testing/simulated_injector.hpp"

#include "actors/supervision/failure.hpp"

#include <algorithm>

namespace troupe::testing {
namespace {

using namespace std::chrono_literals;

constexpr uint32_t corruption_weight = 8;

bool is_supervisor(const std::string& path) { return path.ends_with("/supervisor") || path == paths::sequences; }
using paths::is_sequence;

/// Observed on the way: sent once, for a client that wants them.
bool is_for_client(const message_record& here) {
  return (here.facts.kind == message_kind::hidden_states && (here.to.path == paths::scheduler || is_sequence(here.to.path))) ||
         (here.facts.kind == message_kind::parameter_state && here.to.path == "client");
}

/// Without it the step under way fails.
bool is_needed(const message_record& here) {
  const auto kind = here.facts.kind;
  return (kind >= message_kind::forward_step && kind <= message_kind::step_progress && !is_sequence(here.to.path)) ||
         is_of_training(kind);
}

} // namespace

observers simulated_injector::make_observers() {
  observers result;
  result.traffic = [this](message_record& here) { return on_message(here); };
  result.started = [this](const actor_record& one) {
    if (one.incarnation > 1) recovery_until_ = step_ + 40;
    if (trace_ && actors_) note("++ started", one.name());
  };
  result.ended = [this](const actor_record& one, const caf::error& reason) {
    harmed_.erase(one.id);
    corruptions_.erase(one.id);
    if (actors_) actors_->sim.thaw(one.id);
    if (trace_ && actors_) note("-- ended", one.name() + ": " + reason_text(reason));
  };
  return result;
}

void simulated_injector::begin(simulated_actors& over) {
  actors_ = &over;
  on_ = true;
  over.sim.early_timers(schedule_.early_timers);
}

// -- messages ----------------------------------------------------------------

fate simulated_injector::on_message(message_record& here) {
  if (!actors_) return fate::pass;
  observe(here);
  effect_.clear();
  auto result = fate::pass;
  if (on_) {
    ++counts_.messages;
    result = inject_into_message(here);
  }
  if (trace_) note(here, effect_);
  return result;
}

/// Learns from the messages which sequences there are and which have made progress.
void simulated_injector::observe(const message_record& here) {
  const auto& content = here.element->content();
  if (here.facts.kind == message_kind::forward_step) newest_step_ = std::max(newest_step_, here.facts.step);
  if (here.facts.kind == message_kind::append_token) {
    const auto& append = content.get_as<v1::AppendToken>(0);
    const auto known = corruptions_.find(append.sequence_id());
    if (known != corruptions_.end() && append.position() > known->second.position) known->second = {0, append.position()};
  }
  if (here.facts.kind == message_kind::run_step) corruptions_.try_emplace(0);
  if (here.facts.kind != message_kind::join_batch) return;
  const auto& join = content.get_as<v1::JoinBatch>(0);
  harmed_.emplace(join.sequence_id(), 0);
  corruptions_.emplace(join.sequence_id(), corruption_count{});
  if (int64_t(join.logits_from()) < join.tokens_size() - 1 || join.want_hidden_states())
    scoring_.insert(join.sequence_id());
}

bool simulated_injector::occurs(fault_kind kind) {
  const auto rate = schedule_.of(kind);
  return rate > 0 && actors_->sim.draw(1000) < rate;
}

fate simulated_injector::inject_into_message(message_record& here) {
  const auto kind = here.facts.kind;
  auto& sim = actors_->sim;
  const bool arrives_at_scheduler = kind == message_kind::logits_result && here.to.path == paths::scheduler;
  const auto plan = arrives_at_scheduler ? here.element->content().get_as<v1::LogitsResult>(0).plan() : v1::StepPlan{};
  const auto arrives = [&] {
    if (arrives_at_scheduler) note_progress(plan);
    if (kind == message_kind::step_report && here.element) note_report(here.element->content().get_as<v1::StepReport>(0));
    return fate::pass;
  };
  if (!schedule_.affected[size_t(kind)] || !may_come_twice(kind)) return arrives();
  const bool for_scoring =
    is_sequence(here.to.path) && kind == message_kind::logits_result && scoring_.contains(here.to.id);
  const bool is_steady = is_for_client(here) || for_scoring;
  const uint32_t weight = is_needed(here);
  ++counts_.affected_messages;
  if (may_be_lost(kind) && !is_steady) {
    if (occurs(fault_kind::lose) && (weight == 0 || may_harm(weight))) {
      if (weight > 0) add_harm(weight);
      count(fault_kind::lose);
      effect_ = "lost";
      return fate::drop;
    }
    if (occurs(fault_kind::late) && may_harm(1)) {
      add_harm(1);
      count(fault_kind::late);
      postpone(here);
      return fate::pass;
    }
    for (const auto how : {fault_kind::nan, fault_kind::infinity, fault_kind::shape})
      if (occurs(how) && corrupt_value(here, how)) return fate::pass;
    if (occurs(fault_kind::delay)) {
      count(fault_kind::delay);
      const auto steps = 1 + sim.draw(sim.draw(4) == 0 ? 400 : 40);
      effect_ = "held back for " + std::to_string(steps) + " steps";
      hold(here, std::move(here.element), steps);
      return fate::pass;
    }
  }
  if (occurs(fault_kind::duplicate)) {
    count(fault_kind::duplicate);
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

void simulated_injector::hold(message_record& here, caf::mailbox_element_ptr element, uint64_t steps) {
  held_.push_back({step_ + steps, here.to.actor.lock(), std::move(element)});
}

/// Until after the deadline of its step.
void simulated_injector::postpone(message_record& here) {
  const auto by = std::chrono::milliseconds(400 + actors_->sim.draw(1200));
  effect_ = "late by " + std::to_string(by.count()) + " ms";
  auto& clock = actors_->sim.system().clock();
  if (auto to = here.to.actor.lock()) clock.schedule_message(clock.now() + by, to, std::move(here.element));
}

bool simulated_injector::corrupt_value(message_record& here, fault_kind kind) {
  // Three times in a row would end the sequence with an error.
  const bool is_enough =
    std::any_of(corruptions_.begin(), corruptions_.end(), [](const auto& one) { return one.second.count >= 2; });
  if (is_enough || !may_harm(corruption_weight)) return false;
  const auto how = kind == fault_kind::nan        ? corruption::nan
                   : kind == fault_kind::infinity ? corruption::infinity
                                                  : corruption::shape;
  if (asks_for_values(here.facts.kind) && kind != fault_kind::shape) return false; // NaNs and infinities are put into results only.
  if (!corrupt(here.element, how, actors_->sim.draw(1 << 20))) return false;
  for (auto& [id, counted] : corruptions_) ++counted.count;
  add_harm(corruption_weight);
  count(kind);
  effect_ = "corrupted: " + std::string(to_string(kind));
  return true;
}

// -- how much a sequence survives -----------------------------------------------

bool simulated_injector::may_harm(uint32_t weight) const {
  // Of 32, the number of late steps that may follow each other; any other failure counts as four of them. The rest is for
  // what follows, such as a stage that is replaced although nothing is wrong with it.
  constexpr uint32_t harm_max = 16;
  if (harm_since_progress_ + weight > harm_max) return false;
  return std::all_of(harmed_.begin(), harmed_.end(), [&](const auto& one) { return one.second + weight <= harm_max; });
}

void simulated_injector::add_harm(uint32_t weight) {
  harm_since_progress_ += weight;
  for (auto& [id, harmed] : harmed_) harmed += weight;
}

/// These sequences' step succeeded.
void simulated_injector::note_progress(const v1::StepPlan& plan) {
  const auto id = id_of(plan);
  if (id != newest_step_ || id == newest_result_) return;
  newest_result_ = id;
  for (const auto sequence : plan.sequence_ids())
    if (const auto it = harmed_.find(sequence); it != harmed_.end()) it->second = 0;
  harm_since_progress_ = 0;
}

/// The training run's step succeeded.
void simulated_injector::note_report(const v1::StepReport& report) {
  if (!report.error().empty()) return;
  corruptions_[0] = {};
  harm_since_progress_ = 0;
}

// -- actors --------------------------------------------------------------------

void simulated_injector::before_step() {
  ++step_;
  if (!held_.empty() || !frozen_.empty()) release(!actors_->sim.can_run());
  if (!on_) return;
  if (step_ > schedule_.steps) return end();
  if (actor_injections_ >= schedule_.actor_injections_max) return;
  const bool recovering = step_ < recovery_until_ && occurs(fault_kind::in_recovery);
  for (const auto kind : {fault_kind::crash, fault_kind::kill, fault_kind::hang, fault_kind::freeze, fault_kind::abandon})
    if (occurs(kind) || (recovering && schedule_.of(kind) > 0 && actors_->sim.draw(4) == 0)) {
      inject_into_actor(kind);
      while (occurs(fault_kind::two_at_once) && actor_injections_ < schedule_.actor_injections_max) {
        const auto before = actor_injections_;
        inject_into_actor(kind);
        if (actor_injections_ == before) break;
        count(fault_kind::two_at_once);
      }
    }
  if (occurs(fault_kind::clock_jump)) jump();
}

void simulated_injector::inject_into_actor(fault_kind kind) {
  auto& newest = actors_->newest;
  if (newest.empty()) return;
  auto it = newest.begin();
  std::advance(it, int64_t(actors_->sim.draw(newest.size())));
  const auto* target = actors_->find_record(it->first);
  if (!target || !target->alive || actors_->sim.is_frozen(target->id)) return;
  const uint32_t weight = is_supervisor(target->path) || target->path == paths::directory ? 12 : 8;
  if (!may_harm(weight)) return;
  add_harm(weight);
  ++actor_injections_;
  carry_out(kind, *target);
  count(kind);
  ++counts_.targets[role_of(target->path)];
  if (is_supervisor(target->path)) count(fault_kind::at_supervisor);
  if (step_ < recovery_until_) count(fault_kind::in_recovery);
}

void simulated_injector::carry_out(fault_kind kind, const actor_record& target) {
  auto& sim = actors_->sim;
  const auto handle = target.proxy.lock();
  if (trace_) note("** " + std::string(to_string(kind)), target.name());
  switch (kind) {
  case fault_kind::crash: return actors_->crash(handle, "simulated");
  case fault_kind::kill: return actors_->kill(handle, sim.draw(2) == 0);
  case fault_kind::abandon: return actors_->abandon(target.path);
  case fault_kind::hang: return sim.freeze(target.id);
  default:
    sim.freeze(target.id);
    frozen_.push_back({target.id, step_ + 1 + sim.draw(400), sim.now() + std::chrono::milliseconds(sim.draw(300))});
  }
}

void simulated_injector::jump() {
  if (!may_harm(8)) return;
  add_harm(8);
  count(fault_kind::clock_jump);
  const auto by = std::chrono::milliseconds(actors_->sim.draw(3) == 0 ? 61'000 : 400 + actors_->sim.draw(2000));
  if (trace_) note("** clock jump", "by " + std::to_string(by.count()) + " ms");
  actors_->sim.jump(by);
}

/// Delivers the held messages, and lets the frozen actors go on, whose time has come; or `all` of them.
void simulated_injector::release(bool all) {
  for (size_t i = 0; i < held_.size();) {
    if (!all && held_[i].due > step_) {
      ++i;
      continue;
    }
    auto held = std::move(held_[i]);
    held_.erase(held_.begin() + int64_t(i));
    if (held.to) held.to->enqueue(std::move(held.element), nullptr);
  }
  auto& sim = actors_->sim;
  std::erase_if(frozen_, [&](const frozen_actor& one) {
    if (step_ < one.due && sim.now() < one.until) return false;
    sim.thaw(one.id);
    return true;
  });
}

bool simulated_injector::release_held() {
  const bool any = !held_.empty() || !frozen_.empty();
  for (auto& one : frozen_) one.due = 0;
  if (any) release(true);
  return any;
}

void simulated_injector::end() {
  if (!on_) return;
  on_ = false;
  if (trace_) note("** fault injection has ended", "");
  actors_->sim.early_timers(0);
  release_held();
}

} // namespace troupe::testing
