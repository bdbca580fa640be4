#pragma once
// The actor that others address in place of the real one, and what it tells the injector. These messages hold handles and
// mailbox elements as they are: they never leave the process, so they are no protobuf messages.
#include "troupe/v1/faults.pb.h"
#include <caf/all.hpp>
#include <cstdint>
#include <memory>
#include <string>

namespace troupe {

/// To the injector: an actor is about to be started. What comes from an unknown sender may be from it, so the injector keeps
/// that until it gets the matching start_done.
struct start_begun {};

/// To the injector: it was started, or not (`target` is null).
struct start_done {
  std::string path;
  caf::strong_actor_ptr target, proxy;
  uint64_t request_id = 0; // Of a sequence: which request of which client it serves.
  caf::strong_actor_ptr client;
};

struct target_ended {
  caf::actor_id target = 0;
  caf::error reason;
};

/// To the injector: a message for `target`. Shared only because CAF's messages are copyable; there is one of each.
struct intercepted_message {
  caf::actor_id target = 0;
  std::shared_ptr<caf::mailbox_element_ptr> element;
};

/// The injector to itself: a timer has fired.
struct injector_timer {
  uint64_t number = 0;
};

using fault_injector_actor =
  caf::typed_actor<caf::reacts_to<start_begun>, caf::reacts_to<start_done>, caf::reacts_to<target_ended>,
                   caf::reacts_to<intercepted_message>, caf::reacts_to<injector_timer>, caf::reacts_to<v1::StopFaults>,
                   caf::replies_to<v1::GetFaultLog>::with<v1::FaultLog>>;

/// A proxy for `target`: passes every message for it to the injector, in order. It owns nothing and decides nothing.
caf::strong_actor_ptr make_proxy(const caf::strong_actor_ptr& target, const fault_injector_actor& injector);

/// Lets the injector know when `target` ends. Apart from making the proxy, so that the injector first hears of the start.
void report_end(const caf::strong_actor_ptr& target, const fault_injector_actor& injector);

/// Ends a proxy: its monitors learn that its target ended. Done by the injector, when it has passed on all that the target
/// sent before: an actor that learns of the end has got everything else.
void end_proxy(const caf::strong_actor_ptr& proxy, const caf::error& reason);

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::start_begun)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::start_done)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::target_ended)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::intercepted_message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::injector_timer)
