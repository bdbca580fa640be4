#include "actors/requests/event_messages.hpp"

#include "actors/requests/decoding_messages.hpp"
#include "model/error.hpp"

#include <algorithm>

namespace troupe {
namespace {

std::optional<std::chrono::milliseconds> left_until(int64_t time_ns, caf::actor_clock::time_point now) {
  if (time_ns == 0) return std::nullopt;
  const auto left = std::chrono::nanoseconds(time_ns) - now.time_since_epoch();
  return std::chrono::ceil<std::chrono::milliseconds>(std::max<std::chrono::nanoseconds>(left, std::chrono::nanoseconds(0)));
}

template <class Rows> Rows to_rows(const generation_event& event) {
  Rows rows;
  rows.set_request_id(event.request);
  rows.set_position(event.position);
  rows.set_width(event.width);
  rows.mutable_values()->Add(event.values.begin(), event.values.end());
  return rows;
}

} // namespace

v1::FinishReason to_message(finish_reason reason) {
  switch (reason) {
  case finish_reason::length: return v1::FINISH_REASON_LENGTH;
  case finish_reason::stop: return v1::FINISH_REASON_STOP;
  case finish_reason::cancelled: return v1::FINISH_REASON_CANCELLED;
  case finish_reason::error: return v1::FINISH_REASON_ERROR;
  case finish_reason::deadline: return v1::FINISH_REASON_DEADLINE;
  case finish_reason::overloaded: return v1::FINISH_REASON_OVERLOADED;
  }
  return v1::FINISH_REASON_ERROR;
}

finish_reason to_reason(v1::FinishReason reason) {
  switch (reason) {
  case v1::FINISH_REASON_LENGTH: return finish_reason::length;
  case v1::FINISH_REASON_STOP: return finish_reason::stop;
  case v1::FINISH_REASON_CANCELLED: return finish_reason::cancelled;
  case v1::FINISH_REASON_DEADLINE: return finish_reason::deadline;
  case v1::FINISH_REASON_OVERLOADED: return finish_reason::overloaded;
  default: return finish_reason::error;
  }
}

void add_logprobs(google::protobuf::RepeatedPtrField<v1::TokenLogprob>& to, const std::vector<token_logprob>& logprobs) {
  for (const auto& one : logprobs) {
    auto& added = *to.Add();
    added.set_token(one.token);
    added.set_logprob(one.logprob);
  }
}

std::vector<token_logprob> to_logprobs(const google::protobuf::RepeatedPtrField<v1::TokenLogprob>& messages) {
  std::vector<token_logprob> logprobs;
  for (const auto& one : messages) logprobs.push_back({one.token(), one.logprob()});
  return logprobs;
}

generate_request to_request(const v1::GenerateRequest& m, caf::actor_clock::time_point now) {
  generate_request r;
  r.prompt.assign(m.prompt_tokens().begin(), m.prompt_tokens().end());
  r.features.assign(m.features().begin(), m.features().end());
  r.source.assign(m.source_tokens().begin(), m.source_tokens().end());
  if (!r.features.empty()) (r.source.empty() ? r.prompt : r.source).clear(); // They stand for the rows of the image, or the sound.
  r.segments.assign(m.segments().begin(), m.segments().end());
  r.generated.assign(m.generated_tokens().begin(), m.generated_tokens().end());
  r.was_admitted = m.was_admitted();
  r.tokens_max = m.tokens_max();
  try {
    if (m.has_sampling()) r.sampling = to_options(m.sampling());
    if (m.has_beam_search()) r.beams = to_options(m.beam_search());
    if (m.has_token_rules()) r.rules = to_rules(m.token_rules());
    if (m.has_constraint()) r.constraint = to_constraint(m.constraint());
  } catch (const broken_invariant&) {
    throw input_error("the request's lists of tokens and of their values or lengths do not fit each other");
  }
  r.stop_strings.assign(m.stop_strings().begin(), m.stop_strings().end());
  r.ignore_end_of_generation = m.ignore_end_of_generation();
  r.want_logits = m.want_logits();
  r.want_hidden_states = m.want_hidden_states();
  r.want_logprobs = m.want_logprobs();
  r.top_logprobs = m.top_logprobs();
  r.priority = m.priority();
  r.tenant = m.tenant();
  if (m.tenant_weight() != 0) r.tenant_weight = m.tenant_weight();
  if (m.deadline_ns() != 0) r.deadline_at = caf::actor_clock::time_point(std::chrono::nanoseconds(m.deadline_ns()));
  r.start_deadline = left_until(m.start_deadline_ns(), now);
  return r;
}

v1::TokenEvent to_token(const generation_event& event) {
  v1::TokenEvent token;
  token.set_request_id(event.request);
  token.set_index(event.index);
  token.set_token(event.token);
  token.set_text(event.text);
  add_logprobs(*token.mutable_logprobs(), event.logprobs);
  return token;
}

v1::LogitsRows to_logits(const generation_event& event) { return to_rows<v1::LogitsRows>(event); }

v1::HiddenRows to_hidden(const generation_event& event) {
  auto rows = to_rows<v1::HiddenRows>(event);
  rows.set_layer(event.layer);
  rows.set_of_encoder(event.of_encoder);
  return rows;
}

v1::GenerateEnd to_end(const generation_event& event, uint32_t tokens) {
  v1::GenerateEnd end;
  end.set_request_id(event.request);
  end.set_finish_reason(to_message(event.reason));
  end.set_error(event.error);
  end.set_text(event.text);
  end.set_tokens(tokens);
  for (const auto& one : event.hypotheses) {
    auto& to = *end.add_hypotheses();
    to.mutable_tokens()->Add(one.tokens.begin(), one.tokens.end());
    to.set_score(one.score);
  }
  end.set_prompt_tokens_cached(event.prompt_tokens_cached);
  end.set_retry_after_ms(uint32_t(event.retry_after.count()));
  return end;
}

} // namespace troupe
