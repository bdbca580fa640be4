#pragma once
// Requests and events of plain values, as messages say them: for actors of a program that ask an engine by messages.
#include "actors/requests/generation.hpp"
#include "troupe/v1/generation.pb.h"
#include <caf/actor_clock.hpp>

namespace troupe {

/// What to_message (request_tracker.hpp) was given at the time `now`, apart from how a relative deadline was said. Throws input_error for a
/// message whose fields contradict each other.
generate_request to_request(const v1::GenerateRequest& message, caf::actor_clock::time_point now);

v1::TokenEvent to_token(const generation_event& event);
v1::LogitsRows to_logits(const generation_event& event);
v1::HiddenRows to_hidden(const generation_event& event);
/// tokens: how many were generated in all.
v1::GenerateEnd to_end(const generation_event& event, uint32_t tokens);

} // namespace troupe
