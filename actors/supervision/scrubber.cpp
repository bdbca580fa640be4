#include "actors/supervision/scrubber.hpp"

#include "actors/supervision/failure.hpp"
#include "actors/supervision/directory.hpp"

#include <algorithm>

namespace troupe {
namespace {

using scrubber_pointer = scrubber_actor::stateful_pointer<scrubber_state>;

void next_member(scrubber_state& st) {
  st.member = (st.member + 1) % st.config.members.size();
  st.strip = 0;
}

void ask(scrubber_pointer self) {
  auto& st = self->state;
  if (!st.answered) next_member(st); // It is busy, and has its turn again in the next round.
  const auto& path = st.config.members[st.member];
  const auto owner = st.owners.find(path);
  st.answered = owner == st.owners.end();
  if (st.answered) return next_member(st);
  v1::VerifyWeights order;
  order.set_path(path);
  order.set_strip(st.strip);
  const auto ticks_per_second = std::max<int64_t>(1, std::chrono::seconds(1) / st.config.tick);
  order.set_bytes_max(st.config.bytes_per_second / uint64_t(ticks_per_second));
  self->send(caf::actor_cast<weight_owner>(owner->second), std::move(order));
}

} // namespace

scrubber_actor::behavior_type scrubber(scrubber_pointer self, scrubber_config config) {
  report_exceptions(self);
  self->state.config = std::move(config);
  subscribe(self, self->state.config.directory, self->state.config.members);
  self->delayed_send(self, self->state.config.tick, v1::ScrubTick{});
  return {
    [self](const v1::ScrubTick&) {
      ask(self);
      self->delayed_send(self, self->state.config.tick, v1::ScrubTick{});
    },
    [self](const v1::WeightsVerified& result) {
      auto& st = self->state;
      if (result.path() != st.config.members[st.member]) return;
      st.answered = true;
      st.strip = result.next_strip();
      if (st.strip == 0) next_member(st);
    },
    [self](const v1::ActorStarted& started, const caf::strong_actor_ptr& handle) {
      self->state.owners[started.path()] = handle;
    },
  };
}

} // namespace troupe
