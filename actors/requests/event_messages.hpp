#pragma once
// Requests, events and their parts as plain values and as messages say them.
#include "actors/requests/generation.hpp"
#include "troupe/v1/generation.pb.h"
#include <caf/actor_clock.hpp>
#include <vector>

namespace troupe {

/// What to_message (request_tracker.hpp) was given at the time `now`, apart from how a relative deadline was said. Throws input_error for a
/// message whose fields contradict each other.
generate_request to_request(const v1::GenerateRequest& message, caf::actor_clock::time_point now);

v1::FinishReason to_message(finish_reason reason);
finish_reason to_reason(v1::FinishReason reason); // One that nobody knows is an error.
void add_logprobs(google::protobuf::RepeatedPtrField<v1::TokenLogprob>& to, const std::vector<token_logprob>& logprobs);
std::vector<token_logprob> to_logprobs(const google::protobuf::RepeatedPtrField<v1::TokenLogprob>& messages);

v1::TokenEvent to_token(const generation_event& event);
v1::LogitsRows to_logits(const generation_event& event);
v1::HiddenRows to_hidden(const generation_event& event);
/// tokens: how many were generated in all.
v1::GenerateEnd to_end(const generation_event& event, uint32_t tokens);

} // namespace troupe
