#pragma once
// When a request is too late.
#include "troupe/v1/generation.pb.h"
#include <algorithm>
#include <caf/timespan.hpp>
#include <chrono>
#include <optional>
#include <string_view>

namespace troupe {

struct request_deadline {
  caf::timespan when; // On the actor system's clock, since its epoch.
  std::string_view reason; // For a person, once it has passed.
};

/// The first deadline of a request that has its first token or not yet. Nothing: it has none.
std::optional<request_deadline> next_deadline(const v1::GenerateRequest& request, bool has_begun);

/// Ends the request of a sequence actor with DEADLINE if it is late; else the actor gets a SequenceTick when it may be.
template <class Pointer, class Finish> void end_when_late(Pointer self, bool has_begun, Finish finish) {
  const auto next = next_deadline(self->state.request, has_begun);
  if (!next) return;
  const caf::timespan left = next->when - self->clock().now().time_since_epoch();
  if (left <= caf::timespan(0)) return finish(self, v1::FINISH_REASON_DEADLINE, std::string(next->reason));
  constexpr caf::timespan longest = std::chrono::seconds(1); // A message under way keeps an actor that has ended.
  self->delayed_send(self, std::min(left, longest), v1::SequenceTick{});
}

} // namespace troupe
