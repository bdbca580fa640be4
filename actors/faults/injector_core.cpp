#include "actors/faults/injector_core.hpp"

#include "actors/interfaces/paths.hpp"
#include "actors/supervision/failure.hpp"
#include "messages/caf_message.hpp"
#include "troupe/v1/generation.pb.h"
#include "troupe/v1/supervision.pb.h"
#include "troupe/v1/training.pb.h"

#include <caf/detail/sync_request_bouncer.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace troupe {
namespace {

double in_ms(caf::timespan span) { return double(span.count()) * 1e-6; }
caf::timespan from_ms(double ms) { return caf::timespan(int64_t(ms * 1e6)); }

/// The only end that reaches an actor that hangs: C++ cannot stop its thread, but its supervisor can stop waiting for it.
bool is_kill(const caf::mailbox_element& element) {
  const auto& content = element.content();
  return content.match_elements<caf::exit_msg>() && content.get_as<caf::exit_msg>(0).reason == caf::exit_reason::kill;
}

} // namespace

injector_core::injector_core(caf::scheduled_actor* self, injector_config config)
  : self_(self), config_(std::move(config)), rng_(config_.plan->seed()), born_(self->clock().now()) {
  for (const auto& fault : config_.plan->faults()) triggers_.emplace_back(fault);
}

// -- time ----------------------------------------------------------------------

double injector_core::now_ms() const { return began_ ? in_ms(self_->clock().now() - *began_) : 0; }
double injector_core::journal_ms() const { return in_ms(self_->clock().now() - born_); }

uint64_t injector_core::set_timer(double ms, timer_purpose purpose) {
  const uint64_t number = ++timers_set_;
  timers_.emplace(number, std::move(purpose));
  self_->clock().schedule_message(self_->clock().now() + from_ms(ms), caf::strong_actor_ptr{self_->ctrl()},
                                  caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, injector_timer{number}));
  return number;
}

void injector_core::begin_clock() {
  began_ = self_->clock().now();
  for (size_t i = 0; i < triggers_.size(); ++i) {
    if (!triggers_[i].by_clock()) continue;
    const double after = triggers_[i].fault().trigger().after_ms();
    if (after > 0) set_timer(after, clock_chance{i});
    else try_by_clock(i);
  }
}

void injector_core::on_timer(uint64_t number) {
  auto found = timers_.extract(number);
  if (found.empty()) return; // Settled in the meantime.
  auto& purpose = found.mapped();
  if (auto* late = std::get_if<delayed_message>(&purpose)) {
    auto* to = find(late->target);
    if (to && !is_held_by_hang(nullptr, *to, late->element)) deliver(*to, std::move(late->element));
  } else if (const auto* chance = std::get_if<clock_chance>(&purpose)) {
    if (stopped_) return;
    try_by_clock(chance->fault);
    if (const auto next = triggers_[chance->fault].next_chance_ms(now_ms())) set_timer(*next - now_ms(), *chance);
  } else if (const auto* over = std::get_if<hang_is_over>(&purpose)) {
    release(over->who);
  } else if (auto* to = find(std::get<reorder_is_over>(purpose).who)) {
    end_waiting(*to);
  }
}

// -- which actors there are -----------------------------------------------------

injector_core::member* injector_core::find(caf::actor_id id) {
  const auto it = members_.find(id);
  return it == members_.end() ? nullptr : &it->second;
}

void injector_core::on_start_done(start_done& news) {
  if (news.target) {
    auto& one = members_[news.target->id()];
    one.id = news.target->id();
    one.path = std::move(news.path);
    one.target = std::move(news.target);
    one.proxy = std::move(news.proxy);
    if (news.client) {
      const auto known = requests_.find({news.client->id(), news.request_id});
      one.request = known == requests_.end() ? 0 : known->second;
      sequences_[one.id] = one.request;
    }
    one.incarnation = journal_.actor_started(one.path, one.request, journal_ms());
    for (auto& trigger : triggers_) trigger.actor_started(one.path, one.incarnation > 0);
    // A kill is urgent: it may have overtaken the news of the start.
    if (auto early = early_.extract(one.id))
      for (auto& element : early.mapped()) route(early.key(), std::move(element));
  }
  if (--starts_under_way_ > 0) return;
  for (auto held = std::exchange(unknown_, {}); !held.empty(); held.pop_front())
    route(held.front().target, std::move(held.front().element));
  for (size_t i = 0; began_ && !stopped_ && i < triggers_.size(); ++i)
    if (triggers_[i].by_clock()) try_by_clock(i);
}

void injector_core::on_target_ended(const target_ended& news) {
  const auto it = members_.find(news.target);
  if (it == members_.end()) return;
  journal_.actor_ended(it->second.path, it->second.incarnation, reason_text(news.reason), journal_ms());
  auto ended = std::move(it->second);
  ended_.insert(news.target);
  members_.erase(it);
  end_proxy(ended.proxy, news.reason);
  // A sequence has no successor at its path.
  if (!paths::is_sequence(ended.path)) former_[ended.path] = std::move(ended.target);
}

/// A message that begins everything: a request, or an order of a training run.
void injector_core::note_clients(std::string_view type, const caf::mailbox_element& element) {
  if ((type != "GenerateRequest" && type != "RunStep") || element.content().size() != 2) return;
  add_client(element.content().get_as<caf::strong_actor_ptr>(1));
  if (!began_) begin_clock();
}

/// Which attempt at which step of a training run is under way. The same message to many, or again, counts once.
void injector_core::note_training(std::string_view type, const caf::mailbox_element& element) {
  const auto& content = element.content();
  if (type == "RunStep") {
    const auto& order = content.get_as<v1::RunStep>(0);
    if (order.order() > newest_order_) journal_.training_step_ordered(order.update(), order.batch().validation());
    newest_order_ = std::max(newest_order_, order.order());
  } else if (type == "BeginStep") {
    const auto id = id_of(content.get_as<v1::BeginStep>(0));
    if (newest_attempt_ < id) journal_.training_attempt_began(journal_ms());
    newest_attempt_ = std::max(newest_attempt_, id);
  } else if (type == "ForwardBatch") {
    const auto& batch = content.get_as<v1::ForwardBatch>(0);
    journal_.micro_batch_was_sent(batch.batch().index(), uint64_t(batch.tokens_size()));
  }
}

/// A client's first message: what is sent to it shall pass here too.
void injector_core::add_client(const caf::strong_actor_ptr& client) {
  if (!client || find(client->id())) return;
  auto& one = members_[client->id()];
  one.id = client->id();
  one.path = "/client/" + std::to_string(++clients_);
  one.target = client;
  const auto injector = caf::actor_cast<fault_injector_actor>(caf::strong_actor_ptr{self_->ctrl()});
  one.proxy = make_proxy(client, injector);
  report_end(client, injector);
  for (auto& trigger : triggers_) trigger.actor_started(one.path, false);
}

/// Answers and new messages to the actors named in this one shall pass here too.
void injector_core::name_proxies(caf::mailbox_element_ptr& element) {
  if (const auto* from = member_at(element->sender)) element->sender = from->proxy;
  const auto& content = element->content();
  if (content.size() != 2 || !content.match_element<caf::strong_actor_ptr>(1)) return;
  const auto* named = member_at(content.get_as<caf::strong_actor_ptr>(1));
  if (!named) return;
  auto message = element->copy_content_to_message();
  message.get_mutable_as<caf::strong_actor_ptr>(1) = named->proxy;
  element = caf::make_mailbox_element(element->sender, element->mid, element->stages, std::move(message));
}

// -- messages ----------------------------------------------------------------------

void injector_core::on_message(intercepted_message& one) { route(one.target, std::move(*one.element)); }

void injector_core::route(caf::actor_id target, caf::mailbox_element_ptr element) {
  auto* to = find(target);
  if (!to && !ended_.contains(target)) return early_[target].push_back(std::move(element));
  if (!to) {
    if (element->mid.is_request()) caf::detail::sync_request_bouncer{caf::exit_reason::unknown}(element->sender, element->mid);
    return;
  }
  if (starts_under_way_ > 0 && element->sender && !find(element->sender->id()))
    return unknown_.push_back({target, std::move(element)});
  journal_.message_passed();
  const auto type = type_of(element->content());
  note_clients(type, *element);
  auto* from = member_at(element->sender);
  name_proxies(element);
  if (type == "GenerateRequest" && element->content().size() == 2) {
    const auto& content = element->content();
    requests_.try_emplace({content.get_as<caf::strong_actor_ptr>(1)->id(), content.get_as<v1::GenerateRequest>(0).request_id()},
                          requests_.size() + 1);
  }
  if (is_held_by_hang(from, *to, element)) return;
  const auto request_of_sequence = [this](uint64_t id) {
    const auto it = sequences_.find(actor_of_branch(id));
    return it == sequences_.end() ? uint64_t(0) : it->second;
  };
  std::vector<request_rows> rows;
  if (!type.empty()) rows = request_rows_of(element->content(), current_rows_, request_of_sequence);
  if (type == "ForwardStep") {
    current_rows_ = rows;
    journal_.rows_were_sent(rows, journal_ms());
  }
  note_training(type, *element);
  if (rows.empty() && from && from->request != 0) rows.push_back({from->request, 0, 0});
  const passing_message message{type, from ? std::string_view(from->path) : std::string_view(), to->path, rows};
  if (began_ && !stopped_ && !type.empty() && element->mid.is_async() && inject(message, *to, element)) return;
  if (type == "GenerateEnd" && from) journal_.request_ended(from->request);
  if (const double ms = from ? slowed_ms(*from) : 0; ms > 0) return deliver_after(ms, target, std::move(element));
  deliver(*to, std::move(element));
}

bool injector_core::is_held_by_hang(member* from, member& to, caf::mailbox_element_ptr& element) {
  auto* hung = from && from->hung ? from : to.hung ? &to : nullptr;
  if (!hung || (hung == &to && is_kill(*element))) return false;
  if (hung->keeps_messages) hung->kept.push_back({to.id, std::move(element)});
  return true;
}

/// How much later than usual a message of `from` comes: never before those that it sent earlier, as with an actor that is slow.
double injector_core::slowed_ms(member& from) {
  if (!from.slow) return 0;
  auto& slow = *from.slow;
  const auto now = self_->clock().now();
  double ms = 0;
  if (!slow.until || now <= *slow.until) {
    const double usual = from.asked ? in_ms(now - *from.asked) : 0;
    ms = usual * (slow.factor - 1) + in_ms(slow.added);
  } else if (now > slow.last) {
    from.slow.reset();
    return 0;
  }
  slow.last = std::max(now + caf::timespan(int64_t(ms * 1e6)), slow.last + std::chrono::microseconds(1));
  return in_ms(slow.last - now);
}

void injector_core::deliver_after(double ms, caf::actor_id target, caf::mailbox_element_ptr element) {
  set_timer(ms, delayed_message{target, std::move(element)});
}

void injector_core::deliver(member& to, caf::mailbox_element_ptr element) {
  const auto type = type_of(element->content());
  if (type == "LogitsResult" && to.path == paths::scheduler) journal_.step_came_through(journal_ms());
  if (type == "StepReport" && element->content().get_as<v1::StepReport>(0).error().empty())
    journal_.step_came_through(journal_ms());
  enqueue(to, std::move(element));
  // Each reordered message has been passed by one more.
  std::vector<caf::mailbox_element_ptr> ready;
  for (auto& one : to.waiting)
    if (--one.others == 0) ready.push_back(std::move(one.element));
  std::erase_if(to.waiting, [](const auto& one) { return !one.element; });
  for (auto& one : ready) enqueue(to, std::move(one));
}

void injector_core::enqueue(member& to, caf::mailbox_element_ptr element) {
  to.asked = self_->clock().now();
  to.target->enqueue(std::move(element), self_->context());
}

void injector_core::end_waiting(member& to) {
  for (auto& one : std::exchange(to.waiting, {})) enqueue(to, std::move(one.element));
}

// -- the end of it -------------------------------------------------------------------

void injector_core::release(caf::actor_id who) {
  auto* one = find(who);
  if (!one || !one->hung) return;
  one->hung = false;
  journal_.released(one->path, journal_ms());
  for (auto& message : std::exchange(one->kept, {}))
    if (auto* to = find(message.target)) deliver(*to, std::move(message.element));
}

void injector_core::stop_faults() {
  stopped_ = true;
  for (auto timers = std::exchange(timers_, {}); auto& [number, purpose] : timers)
    if (auto* late = std::get_if<delayed_message>(&purpose))
      if (auto* to = find(late->target)) deliver(*to, std::move(late->element));
  std::vector<caf::actor_id> ids;
  for (const auto& [id, one] : members_) ids.push_back(id);
  for (const auto id : ids) {
    release(id);
    auto* one = find(id);
    one->slow.reset();
    end_waiting(*one);
  }
}

void injector_core::end_all() {
  for (auto& [id, one] : members_) {
    if (one.hung) send_end(one, caf::exit_reason::kill, true);
    end_proxy(one.proxy, caf::exit_reason::user_shutdown);
  }
}

v1::FaultLog injector_core::log() const {
  auto log = journal_.log();
  const double shift = began_ ? in_ms(*began_ - born_) : 0;
  for (auto& injection : *log.mutable_injections()) {
    injection.set_time_ms(injection.time_ms() - shift);
    if (injection.has_replaced_ms()) injection.set_replaced_ms(injection.replaced_ms() - shift);
    if (injection.has_recovered_ms()) injection.set_recovered_ms(injection.recovered_ms() - shift);
  }
  for (auto& incarnation : *log.mutable_incarnations()) {
    incarnation.set_started_ms(incarnation.started_ms() - shift);
    if (incarnation.has_ended_ms()) incarnation.set_ended_ms(incarnation.ended_ms() - shift);
  }
  for (const auto& trigger : triggers_)
    if (!trigger.has_fitted()) log.add_unmatched(trigger.fault().name());
  return log;
}

} // namespace troupe
