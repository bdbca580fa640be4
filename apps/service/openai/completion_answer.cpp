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
  : running_(running), facts_(std::move(facts)), version_(of.in.own_version), exchange_(of.exchange) {
  if (facts_.streams) stream_.emplace(of.in.server, of.exchange);
}

json completion_answer::head(const std::string& object) const {
  return {{"id", facts_.id}, {"object", object}, {"created", facts_.created}, {"model", facts_.model}, {"system_fingerprint", version_}};
}

void completion_answer::send_choice(json one) {
  json chunk = head(facts_.chunk_object);
  chunk["choices"] = json::array({std::move(one)});
  if (facts_.includes_usage) chunk["usage"] = nullptr;
  stream_->send({}, to_text(chunk));
}

void completion_answer::completed() {
  const json usage = openai_usage(usage_of(running_.choices(), facts_.choices_per_prompt));
  if (stream_) {
    if (facts_.includes_usage) {
      json chunk = head(facts_.chunk_object);
      chunk["choices"] = json::array();
      chunk["usage"] = usage;
      stream_->send({}, to_text(chunk));
    }
    stream_->send({}, "[DONE]");
    return stream_->end();
  }
  json whole = head(facts_.object);
  whole["choices"] = json::array();
  for (size_t i = 0; i < running_.choices().size(); ++i) whole["choices"].push_back(choice_object(i));
  whole["usage"] = usage;
  respond_json(*exchange_, to_text(whole));
}

void completion_answer::failed(const api_error& error) {
  if (!stream_ || !stream_->has_begun()) {
    stream_.reset();
    return respond_error(*exchange_, error, api_form::openai);
  }
  stream_->send({}, error_body(error, api_form::openai));
  stream_->end();
}

} // namespace troupe::service
