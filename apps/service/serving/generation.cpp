#include "apps/service/serving/generation.hpp"

#include "apps/service/serving/unix_time.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace troupe::service {

api_error to_error(const generation_event& event, std::optional<std::chrono::milliseconds> retry_after) {
  const auto overloaded = [&](std::chrono::milliseconds later) {
    api_error error(429, "overloaded", event.error);
    error.retry_after_ms = uint32_t(later.count());
    return error;
  };
  switch (event.reason) {
  case finish_reason::deadline:
    if (retry_after) return overloaded(*retry_after);
    return {408, "deadline_exceeded", event.error};
  case finish_reason::overloaded: return overloaded(event.retry_after);
  default: return {500, "generation_failed", event.error};
  }
}

std::shared_ptr<generation> generation::start(served_model& model, std::vector<generate_request> requests,
                                              std::function<std::unique_ptr<generation_form>(const generation&)> form,
                                              std::optional<std::chrono::milliseconds> retry_after, event_keeper keeper) {
  const std::shared_ptr<generation> made(new generation(model));
  made->choices_.resize(requests.size());
  made->unfinished_ = requests.size();
  made->retry_after_ = retry_after;
  made->times_.submitted = std::chrono::steady_clock::now();
  for (size_t i = 0; i < requests.size(); ++i)
    made->choices_[i].prompt_tokens = uint32_t(requests[i].prompt.size() + requests[i].source.size());
  made->form_ = form(*made);
  for (auto& [i, event, time] : keeper.before) {
    if (i >= requests.size()) throw input_error("there are events of a choice that the request does not have");
    if (event.kind == event_kind::token) requests[i].generated.push_back(event.token);
    made->take(i, event, time);
  }
  made->tokens_before_ = made->tokens();
  made->times_.first_token = {};
  if (made->failure_) made->unfinished_ = 0; // What the other choices would have been is of no use to anybody.
  made->keep_ = std::move(keeper.keep);
  if (keeper.is_held && !made->is_over()) {
    made->held_ = std::move(requests);
    return made;
  }
  try {
    for (size_t i = 0; i < requests.size(); ++i) made->submit(i, std::move(requests[i]));
  } catch (...) {
    made->form_ = nullptr; // Those that were sent are cancelled, and nobody hears of them.
    made->keep_ = nullptr;
    made->cancel();
    throw;
  }
  return made;
}

void generation::submit(size_t index, generate_request request) {
  const bool has_ended = is_over() || choices_[index].reason;
  const auto handle = [made = shared_from_this(), index](generation_event& event) { made->receive(index, event); };
  numbers_.push_back(has_ended ? 0 : model_.submit(std::move(request), handle));
}

void generation::begin() {
  auto requests = std::exchange(held_, {});
  for (size_t i = 0; i < requests.size(); ++i) try {
      submit(i, std::move(requests[i]));
    } catch (const std::exception& error) {
      numbers_.push_back(0);
      generation_event end;
      end.kind = event_kind::finished;
      end.reason = finish_reason::error;
      end.error = error.what();
      receive(i, end);
    }
}

void generation::cancel() {
  if (!held_.empty()) return end_held();
  for (size_t i = 0; i < numbers_.size(); ++i)
    if (!choices_[i].reason) model_.cancel(numbers_[i]);
}

/// Nobody else would tell that these are cancelled.
void generation::end_held() {
  held_.clear();
  const auto keep = shared_from_this();
  for (size_t i = 0; i < choices_.size(); ++i) {
    if (choices_[i].reason) continue;
    generation_event end;
    end.kind = event_kind::finished;
    end.reason = finish_reason::cancelled;
    receive(i, end);
  }
}

uint64_t generation::tokens() const {
  uint64_t sum = 0;
  for (const auto& one : choices_) sum += one.tokens.size();
  return sum;
}

uint32_t generation::not_started() const {
  return uint32_t(std::ranges::count_if(choices_, [](const choice& one) { return one.tokens.empty(); }));
}

void generation::receive(size_t index, generation_event& event) {
  if (keep_) keep_(shared_from_this(), index, std::move(event));
  else take(index, event, unix_time());
}

void generation::take(size_t index, generation_event& event, int64_t time) {
  auto& one = choices_[index];
  switch (event.kind) {
  case event_kind::token: {
    times_.last_token = std::chrono::steady_clock::now();
    if (times_.first_token == std::chrono::steady_clock::time_point()) times_.first_token = times_.last_token;
    one.places.push_back(one.text.size());
    one.tokens.push_back(event.token);
    if (one.tokens.size() == 1 && on_first_token) on_first_token();
    if (!event.logprobs.empty()) one.logprobs.push_back(std::move(event.logprobs));
    one.text += event.text;
    return tell([&](generation_form& form) { form.added(index); });
  }
  case event_kind::logits:
  case event_kind::hidden_states: {
    const size_t first = size_t(event.position) * event.width;
    one.rows.resize(std::max(one.rows.size(), first + event.values.size()));
    std::copy(event.values.begin(), event.values.end(), one.rows.begin() + ptrdiff_t(first));
    return;
  }
  case event_kind::finished:
    ended_ = time;
    return end_choice(index, event);
  }
}

/// What goes wrong in the form is the end of this request alone.
template <class Call> void generation::tell(Call call) {
  if (!form_ || failure_) return;
  try {
    call(*form_);
  } catch (const api_error& error) {
    fail(error);
  } catch (const std::exception& error) {
    fail(api_error(500, "internal_error", error.what()));
  }
}

void generation::fail(const api_error& error) {
  failure_ = error;
  try {
    form_->failed(error);
  } catch (const std::exception&) {
    form_ = nullptr; // It cannot even say so: the connection is broken.
  }
  cancel(); // The other choices are of no use to anybody.
}

void generation::end_choice(size_t index, generation_event& event) {
  auto& one = choices_[index];
  one.reason = event.reason;
  one.prompt_tokens_cached = event.prompt_tokens_cached;
  one.hypotheses = std::move(event.hypotheses);
  const auto keep = shared_from_this();
  if (!event.text.empty()) {
    one.text += event.text;
    tell([&](generation_form& form) { form.added(index); });
  }
  --unfinished_;
  if (!is_failure(event.reason)) tell([&](generation_form& form) { form.finished(index); });
  else if (form_ && !failure_) fail(to_error(event, retry_after_));
  if (unfinished_ > 0) return;
  tell([](generation_form& form) { form.completed(); });
  if (on_end) on_end(*this, failure());
}

log_record record_of(const generation& ended, const api_error* failure) {
  const auto& times = ended.times();
  const auto ms_since = [&](std::chrono::steady_clock::time_point time) {
    return std::chrono::duration<double, std::milli>(time - times.submitted).count();
  };
  int64_t prompt_tokens = 0, cached_tokens = 0;
  std::string reasons;
  for (const auto& one : ended.choices()) {
    prompt_tokens += one.prompt_tokens;
    cached_tokens += one.prompt_tokens_cached;
    reasons += (reasons.empty() ? "" : ",") + std::string(one.reason ? to_string(*one.reason) : "error");
  }
  log_record record{"generation"};
  record.add("model", ended.model().name()).add("prompt_tokens", prompt_tokens).add("cached_tokens", cached_tokens)
    .add("tokens", int64_t(ended.tokens())).add("finish_reason", reasons).add("ms", ms_since(std::chrono::steady_clock::now()));
  if (ended.tokens() > ended.tokens_before()) record.add("first_token_ms", ms_since(times.first_token));
  if (failure) record.add("error", failure->code).add("message", std::string(failure->what()));
  return record;
}

std::string stop_string_of(const choice& one, const std::vector<std::string>& stops, const tokenizer& words) {
  if (one.reason != finish_reason::stop || stops.empty()) return {};
  std::string whole;
  for (const uint32_t token : one.tokens) whole += words.token_bytes(token);
  for (const auto& stop : stops)
    if (whole.compare(std::min(one.text.size(), whole.size()), stop.size(), stop) == 0) return stop;
  return {};
}

} // namespace troupe::service
