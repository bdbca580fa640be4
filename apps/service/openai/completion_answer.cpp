#include "apps/service/openai/completion_answer.hpp"

#include <utility>

namespace troupe::service {

json finish_reason_of(const choice& one) {
  switch (one.reason.value_or(finish_reason::cancelled)) {
  case finish_reason::stop: return "stop";
  case finish_reason::length: return "length";
  default: return "abort"; // As vLLM says it.
  }
}

completion_answer::completion_answer(call& of, const generation& running, completion_facts facts)
  : running_(running), facts_(std::move(facts)), version_(of.in.own_version), log_(of.log) {
  chunk_head_ = to_text(head(facts_.chunk_object));
  chunk_head_.back() = ','; // More members follow.
}

json completion_answer::head(const std::string& object) const {
  return {{"id", facts_.id}, {"object", object}, {"created", facts_.created}, {"model", facts_.model}, {"system_fingerprint", version_}};
}

void completion_answer::send_chunk(std::string_view choices, std::string_view usage) {
  std::string chunk;
  chunk.reserve(chunk_head_.size() + choices.size() + usage.size() + 32);
  ((chunk += chunk_head_) += "\"choices\":[").append(choices) += ']';
  if (facts_.includes_usage) (chunk += ",\"usage\":").append(usage);
  log_->send({}, chunk += '}');
}

void completion_answer::send_choice(json one) { send_chunk(to_text(one), "null"); }

void completion_answer::completed() {
  const json usage = openai_usage(usage_of(running_.choices(), facts_.choices_per_prompt));
  if (facts_.streams) {
    if (facts_.includes_usage) send_chunk({}, to_text(usage));
    log_->send({}, "[DONE]");
    return log_->end();
  }
  json whole = head(facts_.object);
  whole["choices"] = json::array();
  for (size_t i = 0; i < running_.choices().size(); ++i) whole["choices"].push_back(choice_object(i));
  whole["usage"] = usage;
  log_->respond(to_text(whole));
  log_->end();
}

void completion_answer::failed(const api_error& error) { log_->fail(error); }

} // namespace troupe::service
