#include "actors/requests/answer.hpp"

#include <utility>

namespace troupe {

call_error error_of(const generation_event& finished) {
  const auto kind = finished.reason == finish_reason::deadline     ? error_kind::deadline
                    : finished.reason == finish_reason::overloaded ? error_kind::overloaded
                                                                   : error_kind::failed;
  return {kind, finished.error, finished.retry_after};
}

bool answer_builder::add(generation_event event) {
  answer_.text += event.text;
  switch (event.kind) {
  case event_kind::token:
    answer_.tokens.push_back(event.token);
    if (!event.logprobs.empty()) answer_.logprobs.push_back(std::move(event.logprobs));
    return false;
  case event_kind::logits:
    answer_.width = event.width;
    answer_.logits.insert(answer_.logits.end(), event.values.begin(), event.values.end());
    return false;
  case event_kind::hidden_states: return false;
  case event_kind::finished: break;
  }
  answer_.reason = event.reason;
  answer_.hypotheses = std::move(event.hypotheses);
  answer_.prompt_tokens_cached = event.prompt_tokens_cached;
  if (is_failure(event.reason)) error_ = error_of(event);
  return true;
}

expected<answer> answer_builder::take() {
  if (is_failure(answer_.reason)) return std::move(error_);
  return std::move(answer_);
}

} // namespace troupe
