#include "apps/service/serving/served_model.hpp"

#include "apps/service/api/api_error.hpp"
#include "model/error.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace troupe::service {

served_model::served_model(std::string name, std::unique_ptr<engine> runs, admission_limits limits, poster post)
  : name_(std::move(name)), engine_(std::move(runs)), words_(engine_->words()), context_(engine_->model().spec.context_length),
    load_(limits), self_(std::make_shared<served_model*>(this)) {
  plan = engine_->options().fault_plan;
  const auto& vocabulary = engine_->model().words;
  for (const auto& piece : vocabulary.pieces) longest_piece_ = std::max(longest_piece_, piece.size());
  try {
    chat_.emplace(chat_template_source(vocabulary));
  } catch (const input_error& error) {
    chat_error_ = error.what();
  }
  client_.emplace(engine_->connect([post = std::move(post), self = self_](std::vector<generation_event> events) {
    post([self, events = std::move(events)]() mutable {
      if (*self) (*self)->take(std::move(events));
    });
  }));
}

served_model::~served_model() { *self_ = nullptr; }

const tokenizer& served_model::words() const {
  if (!words_) throw api_error(400, "no_vocabulary", "the model \"" + name_ + "\" has no vocabulary: give token ids");
  return *words_;
}

const chat_template& served_model::chat() const {
  words();
  if (!chat_)
    throw api_error(400, "chat_template_error", "the chat template of the model \"" + name_ + "\" cannot be used: " + chat_error_);
  return *chat_;
}

void served_model::check_length(size_t bytes) const {
  if (bytes / longest_piece_ > context_)
    throw api_error(400, "context_length_exceeded",
                    "the prompt has " + std::to_string(bytes) + " bytes, which are more than the " + std::to_string(context_) +
                      " tokens of this model's context, however they are cut");
}

void served_model::check_prompt(size_t tokens) const {
  if (file().spec.feature_elements() > 0)
    throw api_error(400, "unsupported_model",
                    "the model \"" + name_ + "\" takes " + (file().audio ? "sound" : "images") + " and no prompt", "model");
  if (tokens >= context_)
    throw api_error(400, "context_length_exceeded",
                    "this model's maximum context length is " + std::to_string(context_) + " tokens; the prompt has " +
                      std::to_string(tokens) + " tokens, which leave no room for an answer");
}

uint64_t served_model::submit(generate_request request, event_handler handle) {
  const uint64_t number = client_->submit(std::move(request));
  handlers_.emplace(number, std::move(handle));
  return number;
}

void served_model::cancel(uint64_t request) { client_->cancel(request); }

void served_model::take(std::vector<generation_event> events) {
  for (auto& event : events) {
    tokens_ += event.kind == event_kind::token;
    const auto found = handlers_.find(event.request);
    if (found == handlers_.end()) continue;
    const bool is_last = event.kind == event_kind::finished;
    event_handler last;
    if (is_last) {
      last = std::move(found->second);
      handlers_.erase(found);
    }
    try {
      (is_last ? last : found->second)(event);
    } catch (const std::exception&) { // No memory for this event. Others are not concerned.
      if (!is_last) cancel(event.request);
    }
  }
}

} // namespace troupe::service
