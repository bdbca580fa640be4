#include "actors/cluster/worker_link.hpp"

#include "actors/cluster/network.hpp"
#include "actors/interfaces/paths.hpp"
#include "actors/supervision/directory.hpp"
#include "actors/supervision/failure.hpp"
#include "actors/supervision/liveness.hpp"

#include <algorithm>
#include <utility>

namespace troupe {
namespace {

using link_pointer = worker_link_actor::stateful_pointer<worker_link_state>;
using phase = worker_link_state::phase;

void enter(link_pointer self, phase next) {
  self->state.now = next;
  self->state.since = self->clock().now();
}

/// Whatever was, it is over. Begins again after a while.
void lost(link_pointer self, const std::string& reason) {
  auto& st = self->state;
  if (st.worker) self->demonitor(st.worker->address());
  const bool was_ready = st.now == phase::ready;
  st.worker = nullptr;
  st.pulse = nullptr;
  st.owes_pong = false;
  ++st.attempt;
  if (!std::exchange(st.is_ticking, true)) self->delayed_send(self, st.config.tick / 10, v1::ClusterTick{});
  if (st.config.start) st.process.reset(); // A new one each time: nobody knows what is wrong with this one.
  st.backoff = was_ready ? caf::timespan(0) : std::clamp(2 * st.backoff, st.config.retry_first, st.config.retry_max);
  enter(self, phase::idle);
  st.next_try = st.since + st.backoff;
  write_log(st.config.log, log_level::warning, "worker " + st.config.worker + " is lost: " + reason);
  v1::WorkerLost news;
  news.set_worker(st.config.worker);
  news.set_reason(reason);
  if (st.cluster) self->send(st.cluster, std::move(news));
}

void greet(link_pointer self, const worker_actor& worker) {
  auto& st = self->state;
  st.worker = worker;
  self->monitor(worker);
  enter(self, phase::greeting);
  v1::Greeting greeting;
  greeting.set_protocol(cluster_protocol);
  greeting.set_version(st.config.version);
  self->send(worker, std::move(greeting), caf::strong_actor_ptr(self->ctrl()));
}

void connect_now(link_pointer self) {
  auto& st = self->state;
  enter(self, phase::connecting);
  const auto attempt = ++st.attempt;
  st.config.connect(
    self, st.config.host, st.config.port,
    [self, attempt](const worker_actor& worker) {
      if (attempt == self->state.attempt && self->state.now == phase::connecting) greet(self, worker);
    },
    [self, attempt](const std::string& reason) {
      if (attempt == self->state.attempt && self->state.now == phase::connecting) lost(self, "no connection: " + reason);
    });
}

void begin(link_pointer self) {
  auto& st = self->state;
  if (!st.config.start) return connect_now(self);
  try {
    st.process = st.config.start();
  } catch (const std::exception& error) {
    return lost(self, error.what());
  }
  enter(self, phase::starting);
}

void tell_ready(link_pointer self) {
  auto& st = self->state;
  st.told = self->clock().now();
  if (st.now == phase::ready && st.cluster) self->send(st.cluster, st.ready, caf::actor_cast<caf::strong_actor_ptr>(st.worker));
}

void on_facts(link_pointer self, const v1::WorkerFacts& facts, const caf::strong_actor_ptr& pulse) {
  auto& st = self->state;
  if (st.now != phase::greeting || self->current_sender() != st.worker) return;
  if (!st.config.arithmetic.empty() && facts.arithmetic() != st.config.arithmetic)
    return lost(self, "it computes with " + facts.arithmetic() + ", this coordinator with " + st.config.arithmetic
                        + ": results could differ in their last bits");
  st.pulse = caf::actor_cast<pulse_actor>(pulse);
  st.backoff = caf::timespan(0);
  st.silent = caf::timespan(0);
  st.owes_pong = false;
  enter(self, phase::ready);
  st.ready.set_worker(st.config.worker);
  *st.ready.mutable_facts() = facts;
  tell_ready(self);
}

void look_at_pulse(link_pointer self, caf::timespan ran) {
  auto& st = self->state;
  if (!st.owes_pong) {
    if (st.pings >= st.config.pings_max) return;
    st.owes_pong = true;
    st.silent = caf::timespan(0);
    st.pinged_at = self->clock().now();
    v1::NodePing ping;
    ping.set_number(++st.pings);
    return self->send(st.pulse, std::move(ping));
  }
  st.silent += ran;
  const bool may_starve = st.process && !st.process->is_stopped();
  if (st.silent >= (may_starve ? st.config.starved_max : st.config.silence_max)) lost(self, "it does not answer");
}

void on_tick(link_pointer self) {
  auto& st = self->state;
  const auto now = self->clock().now();
  const auto ran = st.ran.look(self, 2 * st.config.tick);
  if (st.process)
    if (const auto end = st.process->end()) lost(self, *end);
  switch (st.now) {
  case phase::idle:
    if (now >= st.next_try) begin(self);
    break;
  case phase::starting:
    if (const auto port = st.process->port()) {
      st.config.port = *port;
      connect_now(self);
    } else if (now - st.since > st.config.starting_max) lost(self, "it has not said where it listens");
    break;
  case phase::greeting:
    if (now - st.since > std::chrono::seconds(10)) lost(self, "it does not answer the greeting");
    break;
  case phase::ready: look_at_pulse(self, ran); break;
  default: break;
  }
  if (st.now == phase::ready && !st.owes_pong && st.pings >= st.config.pings_max) {
    st.is_ticking = false;
    return;
  }
  const bool in_a_hurry = st.now == phase::starting || st.now == phase::idle;
  self->delayed_send(self, in_a_hurry ? st.config.tick / 10 : st.config.tick, v1::ClusterTick{});
}

} // namespace

worker_link_actor::behavior_type worker_link(link_pointer self, worker_link_config config) {
  report_exceptions(self);
  self->state.config = std::move(config);
  self->set_down_handler([self](const caf::down_msg& down) {
    const auto& st = self->state;
    if (!st.worker || st.worker->address() != down.source) return;
    const auto end = st.process ? st.process->end() : std::nullopt;
    lost(self, end ? *end : "it ended, or the connection did: " + reason_text(down.reason));
  });
  subscribe(self, self->state.config.directory, {paths::cluster});
  self->send(self, v1::ClusterTick{});
  return {
    [self](const v1::WorkerFacts& facts, const caf::strong_actor_ptr& pulse) { on_facts(self, facts, pulse); },
    [self](const v1::WorkerRefusal& refusal) {
      if (self->state.now == phase::greeting && self->current_sender() == self->state.worker) lost(self, "it refuses: " + refusal.reason());
    },
    [self](const v1::NodePong& pong) {
      auto& st = self->state;
      if (pong.number() != st.pings || !st.owes_pong) return;
      st.owes_pong = false;
      const auto now = self->clock().now();
      st.ready.set_round_trip_ns(uint64_t(caf::timespan(now - st.pinged_at).count()));
      if (now - st.told >= std::chrono::seconds(1)) tell_ready(self);
    },
    [self](const v1::ClusterTick&) { on_tick(self); },
    [self](const v1::CheckLiveness& check) { answer_liveness_check(self, check); },
    [self](const v1::ActorStarted& started, const caf::strong_actor_ptr& handle) {
      if (started.path() != paths::cluster) return;
      self->state.cluster = caf::actor_cast<cluster_actor>(handle);
      tell_ready(self);
    },
  };
}

} // namespace troupe
