#include "apps/service/serving/generation.hpp"

#include "apps/service/serving/unix_time.hpp"

#include <algorithm>
#include <utility>

namespace troupe::service {

api_error to_error(const generation_event& event) {
  switch (event.reason) {
  case finish_reason::deadline: return {408, "deadline_exceeded", event.error};
  case finish_reason::overloaded: {
    api_error error(429, "overloaded", event.error);
    error.retry_after_ms = uint32_t(event.retry_after.count());
    return error;
  }
  default: return {500, "generation_failed", event.error};
  }
}

std::shared_ptr<generation> generation::start(served_model& model, std::vector<generate_request> requests,
                                              std::function<std::unique_ptr<generation_form>(const generation&)> form,
                                              event_keeper keeper) {
  const std::shared_ptr<generation> made(new generation(model));
  made->choices_.resize(requests.size());
  made->unfinished_ = requests.size();
  made->times_.submitted = std::chrono::steady_clock::now();
  made->form_ = form(*made);
  for (size_t i = 0; i < requests.size(); ++i) {
    made->choices_[i].prompt_tokens = uint32_t(requests[i].prompt.size() + requests[i].source.size());
    made->stop_strings_.push_back(requests[i].stop_strings);
  }
  for (auto& [i, event, time] : keeper.before) {
    if (i >= requests.size()) throw input_error("there are events of a choice that the request does not have");
    if (event.kind == event_kind::token) requests[i].generated.push_back(event.token);
    made->take(i, event, time);
  }
  if (made->failure_) made->unfinished_ = 0; // What the other choices would have been is of no use to anybody.
  const auto keep = [made, keeps = std::move(keeper.keep)](size_t i, generation_event& event) {
    if (keeps) keeps(made, i, std::move(event));
    else made->take(i, event, unix_time());
  };
  try {
    for (size_t i = 0; i < requests.size(); ++i) {
      const bool has_ended = made->is_over() || made->choices_[i].reason;
      made->numbers_.push_back(
        has_ended ? 0 : model.submit(std::move(requests[i]), [keep, i](generation_event& event) { keep(i, event); }));
    }
  } catch (...) {
    made->form_ = nullptr; // Those that were sent are cancelled, and nobody hears of them.
    made->cancel();
    throw;
  }
  return made;
}

void generation::cancel() {
  for (size_t i = 0; i < numbers_.size(); ++i)
    if (!choices_[i].reason) model_.cancel(numbers_[i]);
}

uint64_t generation::tokens() const {
  uint64_t sum = 0;
  for (const auto& one : choices_) sum += one.tokens.size();
  return sum;
}

void generation::take(size_t index, generation_event& event, int64_t time) {
  auto& one = choices_[index];
  switch (event.kind) {
  case event_kind::token: {
    times_.last_token = std::chrono::steady_clock::now();
    if (times_.first_token == std::chrono::steady_clock::time_point()) times_.first_token = times_.last_token;
    one.places.push_back(one.text.size());
    one.tokens.push_back(event.token);
    if (!event.logprobs.empty()) one.logprobs.push_back(std::move(event.logprobs));
    one.text += event.text;
    if (form_ && !failure_) form_->added(index, event.text, true);
    return;
  }
  case event_kind::logits:
  case event_kind::hidden_states: {
    const size_t first = size_t(event.position) * event.width;
    one.rows.resize(std::max(one.rows.size(), first + event.values.size()));
    std::copy(event.values.begin(), event.values.end(), one.rows.begin() + ptrdiff_t(first));
    return;
  }
  case event_kind::finished: ended_ = time; return end_choice(index, event);
  }
}

void generation::end_choice(size_t index, generation_event& event) {
  auto& one = choices_[index];
  one.reason = event.reason;
  one.prompt_tokens_cached = event.prompt_tokens_cached;
  one.hypotheses = std::move(event.hypotheses);
  const auto keep = shared_from_this();
  const bool tells = form_ && !failure_;
  if (!event.text.empty()) {
    one.text += event.text;
    if (tells) form_->added(index, event.text, false);
  }
  if (event.reason == finish_reason::stop && !stop_strings_[index].empty() && !one.tokens.empty()) {
    std::string whole;
    for (const uint32_t token : one.tokens) whole += model_.words().token_bytes(token);
    for (const auto& stop : stop_strings_[index])
      if (whole.compare(std::min(one.text.size(), whole.size()), stop.size(), stop) == 0) one.stop_string = stop;
  }
  --unfinished_;
  if (is_failure(event.reason)) {
    if (tells) {
      failure_ = to_error(event);
      form_->failed(*failure_);
      cancel(); // The other choices are of no use to anybody.
    }
  } else if (tells) {
    form_->finished(index);
  }
  if (unfinished_ > 0) return;
  if (form_ && !failure_) form_->completed();
  if (on_end) on_end(*this, failure_ ? &*failure_ : nullptr);
}

} // namespace troupe::service
