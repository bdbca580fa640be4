#pragma once
// For programs that are made of CAF actors: an actor of an engine that takes their requests by messages. The engine itself may run in
// their actor system (the second constructor of troupe::engine), and is supervised by one of their actors then:
//
//   troupe::engine engine{system, model, {}};
//   self->monitor(engine.root());                  // When it ends: self->monitor(engine.start_root()).
//   auto requests = spawn_requests(engine);
//   self->send(requests, request, caf::strong_actor_ptr(self->ctrl()));
#include "actors/engine.hpp"
#include "messages/caf_message.hpp"
#include "troupe/v1/generation.pb.h"
#include <caf/all.hpp>

namespace troupe {

/// Gets requests, each with the handle of the actor that asks; `request_id` is the asker's own number, which every answer has.
using requests_actor = caf::typed_actor<caf::reacts_to<v1::GenerateRequest, caf::strong_actor_ptr>,
                                        caf::reacts_to<v1::CancelRequest>, // Of the sender's request with that number.
                                        caf::reacts_to<v1::GenerateEnd>>;  // From itself.

/// What an asker may get: tokens in order of their index, rows if it wants them, and one GenerateEnd, last.
using asker_actor = caf::typed_actor<caf::reacts_to<v1::TokenEvent>, caf::reacts_to<v1::LogitsRows>, caf::reacts_to<v1::HiddenRows>,
                                     caf::reacts_to<v1::GenerateEnd>>;

/// Spawns such an actor in the engine's actor system: a client of the engine, with one thread, whoever asks. It may be told to end at any
/// time, which cancels its requests; in an engine that has its own actor system it must have ended before the engine is stopped.
///
/// Retry     a request that is under way already, of the same asker with the same number, is ignored.
/// Restart   a new one knows no requests. Who has got tokens of a request asks again with these as `generated_tokens`, and the answer
///           goes on behind them with the same bits.
/// Errors    a request that can never be served gets a GenerateEnd with an error at once.
/// The end of an asker cancels its requests.
requests_actor spawn_requests(engine& of);

} // namespace troupe
