#pragma once
// Liveness checks, as Kubernetes' liveness probes: how an actor that hangs is found, one that has not ended but handles no
// messages. (An actor that crashes is noticed by its monitors, one that holds up a step by the step's deadline.) Supervisors,
// the directory, the scheduler and sequences answer them; heads, shards and stages do not: they may compute for long, and the
// scheduler knows how long.
//
// No check is sent while all goes well, so it costs nothing. A client that receives nothing for a request during
// liveness_silence sends CheckLiveness to the root and to the request's sequence. A supervisor that gets a CheckLiveness
// answers with LivenessReply and sends checks to its children in turn; a child that does not reply in time is replaced.
//
// The root is asked too, but nothing could replace it. It does nothing but this and restarting two children.
#include "messages/caf_message.hpp"
#include "troupe/v1/supervision.pb.h"
#include <caf/all.hpp>
#include <chrono>
#include <cstdint>
#include <utility>

namespace troupe {

/// A client checks after so much silence, and a supervisor asks its children at most once within it.
constexpr caf::timespan liveness_silence = std::chrono::milliseconds(500);
/// An actor that waits for a reply sends itself a tick at most so often,
constexpr caf::timespan liveness_tick_interval = std::chrono::milliseconds(100);
/// and gives up after n whole ticks. Ticks wait in the same queues as the checks, and a late one counts as one: no actor counts
/// as late because the process was suspended, or because all threads compute. Of a tick in which the threads did not have the
/// processors all the time, only the part in which they had counts (running_time.hpp).
constexpr uint32_t liveness_ticks_max = 5;

/// The liveness check that was sent to one actor: whether it owes the reply, and since when. Pure.
class liveness_check {
public:
  bool owes() const { return number_ != 0; }
  void ask(uint64_t number) { *this = liveness_check(number); } // Not 0.
  /// Takes the reply to check `number`. False: that is an older check, or no reply is owed.
  bool answer(uint64_t number) {
    const bool is_it = owes() && number == number_;
    if (is_it) number_ = 0;
    return is_it;
  }
  /// A tick has passed, of which `ran` counts. True: the reply is owed since liveness_ticks_max * patience whole ticks, up to the
  /// half of one that is lost on the way, and the actor hangs.
  bool tick(caf::timespan ran, uint32_t patience = 1) {
    if (owes()) owed_for_ += ran;
    return owes() && owed_for_ >= liveness_ticks_max * patience * liveness_tick_interval - liveness_tick_interval / 2;
  }
  void reset_ticks() { owed_for_ = caf::timespan(0); }

  liveness_check() = default;

private:
  explicit liveness_check(uint64_t number) : number_(number) {}
  uint64_t number_ = 0;
  caf::timespan owed_for_{0};
};

/// What every actor that answers liveness checks does with a CheckLiveness.
inline void answer_liveness_check(caf::local_actor* self, const v1::CheckLiveness& check) {
  v1::LivenessReply reply;
  reply.set_check(check.check());
  send_packed(self, asker_of<v1::LivenessReply>(self), packed<v1::LivenessReply>{std::move(reply)});
}

} // namespace troupe
