#pragma once
// The actor that others know instead of the one they mean, and what it tells the injector. These messages hold handles and
// mailbox elements as they are: they never leave the process, so they are no protobuf messages.
#include "troupe/v1/faults.pb.h"
#include <caf/all.hpp>
#include <cstdint>
#include <memory>
#include <string>

namespace troupe {

/// To the injector: an actor is about to be started. What comes from a sender that nobody knows may be from it, so the
/// injector keeps that until it hears the other half.
struct start_begun {};

/// To the injector: it was started, or not (`target` is null).
struct start_done {
  std::string path;
  caf::strong_actor_ptr target, stand_in;
  uint64_t request_id = 0; // Of a sequence: which request of which client it serves.
  caf::strong_actor_ptr client;
};

struct life_ended {
  caf::actor_id target = 0;
  caf::error reason;
};

/// To the injector: a message for `target`. Shared only because CAF's messages are copyable; there is one of each.
struct passage {
  caf::actor_id target = 0;
  std::shared_ptr<caf::mailbox_element_ptr> element;
};

/// To itself: time has come.
struct injector_alarm {
  uint64_t number = 0;
};

using fault_injector_actor =
  caf::typed_actor<caf::reacts_to<start_begun>, caf::reacts_to<start_done>, caf::reacts_to<life_ended>,
                   caf::reacts_to<passage>, caf::reacts_to<injector_alarm>, caf::reacts_to<v1::CeaseFaults>,
                   caf::replies_to<v1::GetFaultLog>::with<v1::FaultLog>>;

/// Stands for `target`: hands every message for it to the injector, in order. It owns nothing and decides nothing.
caf::strong_actor_ptr make_stand_in(const caf::strong_actor_ptr& target, const fault_injector_actor& injector);

/// Lets the injector know when `target` ends. Apart from making the stand-in, so that the injector first hears of the start.
void report_end(const caf::strong_actor_ptr& target, const fault_injector_actor& injector);

/// Ends a stand-in: whoever monitors it hears that its target ended. Done by the injector, when it has passed on all that the
/// target sent before: who hears of an end has heard everything else.
void end_stand_in(const caf::strong_actor_ptr& stand_in, const caf::error& reason);

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::start_begun)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::start_done)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::life_ended)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::passage)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::injector_alarm)
