#include "actors/requests/request_tracker.hpp"

#include "actors/interfaces/paths.hpp"
#include "actors/interfaces/tenant_weight.hpp"
#include "actors/requests/constraint_check.hpp"
#include "actors/requests/deadlines.hpp"
#include "actors/requests/decoding_messages.hpp"
#include "actors/requests/event_messages.hpp"
#include "actors/supervision/failure.hpp"
#include "actors/supervision/restart_window.hpp"
#include "model/error.hpp"
#include "model/kernels/rowwise.hpp"
#include "model/utf8.hpp"

#include <algorithm>
#include <utility>

namespace troupe {
namespace {

void check_tokens(const std::string& what, const std::vector<uint32_t>& tokens, uint64_t room, uint32_t positions_max,
                  const model_parts& model) {
  if (tokens.empty()) throw input_error("the " + what + " is empty: at least one token is needed");
  for (const uint32_t token : tokens)
    if (token >= model.spec.vocabulary)
      throw input_error("the " + what + " has token " + std::to_string(token) + ", but the vocabulary ends at " +
                        std::to_string(model.spec.vocabulary - 1));
  if (tokens.size() > room)
    throw input_error("the " + what + " has " + std::to_string(tokens.size()) + " tokens, but the model's context holds " +
                      std::to_string(positions_max));
}

/// What passes a stack as a whole must fit into a message at the stack's widest place.
void check_whole(const std::string& what, size_t rows, const stack_spec& stack, uint32_t columns) {
  uint64_t widest = columns;
  for (const auto& layer : stack.layers)
    widest = std::max<uint64_t>({widest, layer.feed_forward.width, uint64_t(layer.attention.heads) * layer.attention.head_dim});
  if (rows * widest > INT32_MAX)
    throw input_error("the " + what + " of " + std::to_string(rows) + " tokens is too long for rows of " + std::to_string(widest) +
                      " elements");
}

void check_source(const generate_request& request, const model_parts& model) {
  if (model.encoder) {
    const uint32_t room = model.encoder->positions_max;
    check_tokens("source", request.source, room, room, model);
    return check_whole("source", request.source.size(), *model.spec.encoder, model.spec.width);
  }
  if (!request.source.empty()) throw input_error("there is a source, but the model has no encoder");
}

/// "3 x 224 x 224"
std::string feature_shape(const embedding_spec& input) {
  if (input.audio) return std::to_string(input.audio->bins) + " x " + std::to_string(input.audio->frames);
  return std::to_string(input.image->channels) + " x " + std::to_string(input.image->height) + " x " + std::to_string(input.image->width);
}

/// Prompt or source are those of their rows already.
void check_features(const generate_request& request, const model_parts& model) {
  const auto& input = model.spec.input();
  if (!input.image && !input.audio) {
    if (!request.features.empty()) throw input_error("there are features, but the model takes tokens alone");
    return;
  }
  if (request.features.size() != model.spec.feature_elements())
    throw input_error("there are " + std::to_string(request.features.size()) + " features, but the model takes " + feature_shape(input));
  if (!is_finite(request.features)) throw input_error("a feature is not a finite number");
}

/// An image has a row for its class token and one for each patch, which stand for tokens; sound has rows that stand for a source.
void add_rows_of_features(generate_request& request, const model_parts& model) {
  const auto& input = model.spec.input();
  if (input.image) {
    if (!request.prompt.empty()) throw input_error("there are tokens, but the model takes images");
    request.prompt.resize(input.image->rows());
  }
  if (input.audio) {
    if (!request.source.empty()) throw input_error("there is a source of tokens, but the model listens");
    request.source.resize(input.audio->rows());
  }
}

void check_segments(const generate_request& request, const model_parts& model) {
  if (request.segments.empty()) return;
  const uint32_t segments = model.spec.embedding.segments;
  if (segments == 0) throw input_error("there are segments, but the model knows none");
  if (request.segments.size() != request.prompt.size())
    throw input_error("there are segments of " + std::to_string(request.segments.size()) + " tokens, but the prompt has " +
                      std::to_string(request.prompt.size()));
  for (const uint32_t segment : request.segments)
    if (segment >= segments)
      throw input_error("there is a segment " + std::to_string(segment) + ", but the model's end at " + std::to_string(segments - 1));
}

void check(const generate_request& request, const model_parts& model) {
  check_tokens("prompt", request.prompt, model.positions_max - (request.tokens_max > 0 ? 1 : 0), model.positions_max, model);
  if (model.spec.needs_whole_sequences())
    check_whole("prompt", request.prompt.size(), model.spec, std::max(model.spec.width, model.spec.output.columns));
  check_source(request, model);
  check_features(request, model);
  check_segments(request, model);
  if (!request.generated.empty()) {
    if (request.beams) throw input_error("a beam search does not go on from generated tokens");
    if (request.generated.size() > request.tokens_max)
      throw input_error("there are " + std::to_string(request.generated.size()) + " generated tokens already, and at most " +
                        std::to_string(request.tokens_max) + " are wanted");
    check_tokens("generated text", request.generated, model.positions_max - request.prompt.size(), model.positions_max, model);
  }
  const bool generates = model.spec.output.kind == output_spec::result::tokens && !model.spec.needs_whole_sequences();
  if (request.tokens_max > 0 && !generates) throw input_error("this model does not generate text");
  if (request.beams) {
    if (request.tokens_max == 0) throw input_error("a beam search needs room for a token");
    if (const auto reason = invalid(*request.beams); !reason.empty()) throw input_error(reason);
    if (!request.stop_strings.empty()) throw input_error("a beam search knows no stop strings");
    if (request.want_logits || request.want_hidden_states)
      throw input_error("a beam search delivers neither logits nor hidden states");
    // For each token the logits of all branches are kept and looked at: 128 MiB, and about a tenth of a second.
    constexpr uint64_t beam_logits_max = 1 << 25;
    if (uint64_t(request.beams->beams) * model.spec.vocabulary > beam_logits_max)
      throw input_error(std::to_string(request.beams->beams) + " beams are too many for a vocabulary of " +
                        std::to_string(model.spec.vocabulary));
  }
  if (request.constraint) {
    if (request.beams) throw input_error("a beam search knows no constraint");
    if (model.file->words.kind == tokenizer_kind::none) throw input_error("a constraint needs a model with a vocabulary");
    check_constraint(*request.constraint);
  }
  if (const auto reason = invalid(request.rules, model.spec.vocabulary); !reason.empty()) throw input_error(reason);
  if (const auto reason = invalid(request.sampling, model.spec.vocabulary); !reason.empty())
    throw input_error(reason);
  if (!(request.tenant_weight >= tenant_weight_min && request.tenant_weight <= tenant_weight_max))
    throw input_error("a tenant's weight must be between 1/1024 and 1024");
  if (request.tenant.size() > generate_request::tenant_bytes_max || !is_utf8(request.tenant))
    throw input_error("a tenant's name must be valid UTF-8 of at most " + std::to_string(generate_request::tenant_bytes_max) + " bytes");
  if (request.top_logprobs > generate_request::top_logprobs_max)
    throw input_error("at most " + std::to_string(generate_request::top_logprobs_max) + " likeliest tokens can be listed");
  for (const auto& stop : request.stop_strings) {
    if (stop.empty()) throw input_error("an empty stop string would end every text at once");
    // It would match no text, and protobuf refuses such a string when it is sent to another process.
    if (!is_utf8(stop)) throw input_error("a stop string is not valid UTF-8");
  }
}

} // namespace

v1::GenerateRequest to_message(generate_request request, const model_parts& model, caf::actor_clock::time_point now) {
  if (model.encoder && request.prompt.empty()) request.prompt = {model.spec.start_token};
  add_rows_of_features(request, model);
  check(request, model);
  v1::GenerateRequest message;
  message.mutable_source_tokens()->Add(request.source.begin(), request.source.end());
  message.mutable_segments()->Add(request.segments.begin(), request.segments.end());
  message.mutable_features()->Add(request.features.begin(), request.features.end());
  if (request.beams) *message.mutable_beam_search() = to_message(*request.beams);
  if (!request.rules.empty() || !request.rules.end_tokens.empty()) *message.mutable_token_rules() = to_message(request.rules);
  if (request.constraint) *message.mutable_constraint() = to_message(*request.constraint);
  message.mutable_prompt_tokens()->Add(request.prompt.begin(), request.prompt.end());
  message.mutable_generated_tokens()->Add(request.generated.begin(), request.generated.end());
  message.set_was_admitted(request.was_admitted);
  message.set_tokens_max(request.tokens_max);
  *message.mutable_sampling() = to_message(request.sampling);
  for (auto& stop : request.stop_strings) message.add_stop_strings(std::move(stop));
  message.set_ignore_end_of_generation(request.ignore_end_of_generation);
  message.set_want_logits(request.want_logits);
  message.set_want_hidden_states(request.want_hidden_states);
  message.set_want_logprobs(request.want_logprobs);
  message.set_top_logprobs(request.top_logprobs);
  message.set_priority(request.priority);
  message.set_tenant(std::move(request.tenant));
  message.set_tenant_weight(request.tenant_weight);
  const auto at = [&](const std::optional<std::chrono::milliseconds>& after) {
    constexpr auto longest = std::chrono::hours(24 * 365);
    return after ? (now.time_since_epoch() + std::min<caf::timespan>(*after, longest)).count() : 0;
  };
  int64_t deadline = at(request.deadline);
  if (request.deadline_at) {
    const int64_t other = std::max<int64_t>(1, caf::timespan(request.deadline_at->time_since_epoch()).count()); // 0 would be none.
    deadline = deadline == 0 ? other : std::min(deadline, other);
  }
  message.set_deadline_ns(deadline);
  message.set_start_deadline_ns(at(request.start_deadline));
  return message;
}

request_tracker::request_tracker(caf::actor_system& system, root_actor root) : self_(system), root_(std::move(root)) {
  self_->monitor(root_);
  self_->send(root_, v1::FindDirectory{});
}

request_tracker::~request_tracker() {
  // The supervisor of sequences learns of the end of this client, and drops what waits.
  for (const auto& [sequence, id] : served_) cancel_at(requests_.at(id).sequence, id);
}

uint64_t request_tracker::submit(v1::GenerateRequest request) {
  const uint64_t id = request.request_id() > 0 ? request.request_id() : last_request_ + 1;
  last_request_ = std::max(last_request_, id);
  request.set_request_id(id);
  if (requests_.size() == served_.size()) reset(others_quiet_); // From now on there are such.
  requests_[id].request = std::move(request);
  unsent_.insert(id);
  if (!root_) finish(id, finish_reason::error, stopped_, {});
  send_waiting();
  keep_ticking();
  return id;
}

void request_tracker::cancel(uint64_t request) {
  const auto it = requests_.find(request);
  if (it == requests_.end()) return;
  auto& state = it->second;
  if (state.sequence) {
    state.cancelled = true;
    return cancel_at(state.sequence, request);
  }
  // What waits has no text to come. If a sequence has just been started for it, that is cancelled when it is known here.
  if (state.sent) cancel_at(caf::actor_cast<caf::strong_actor_ptr>(sequences_), request);
  finish(request, finish_reason::cancelled, {}, {});
}

void request_tracker::set_sequence(uint64_t id, request_state& state, caf::strong_actor_ptr sequence) {
  if (state.liveness.owes()) --owed_;
  state.liveness = {};
  if (state.sequence) served_.erase(state.sequence->id());
  unheard_.erase({state.ask_at, id});
  state.sequence = std::move(sequence);
  if (state.sequence) served_[state.sequence->id()] = id;
}

/// `whom`: its sequence, or the supervisor of sequences with which it waits.
void request_tracker::cancel_at(const caf::strong_actor_ptr& whom, uint64_t request) {
  v1::CancelRequest message;
  message.set_request_id(request);
  send_packed(self_.ptr(), whom, packed<v1::CancelRequest>{std::move(message)});
}

std::vector<uint64_t> request_tracker::pending() const {
  std::vector<uint64_t> ids;
  for (const auto& [id, state] : requests_) ids.push_back(id);
  return ids;
}

void request_tracker::send_waiting() {
  if (!sequences_) return;
  while (!unsent_.empty()) { // One that cannot be sent, because there is no memory, stays among them with those that follow.
    const uint64_t id = *unsent_.begin();
    auto& state = requests_.at(id);
    if (state.cancelled) {
      unsent_.erase(id);
      finish(id, finish_reason::cancelled, {}, {});
      continue;
    }
    state.request.set_attempt(state.request.attempt() + 1);
    send(id, state);
    state.ask_after = ask_after_first;
    state.sent = true;
    unsent_.erase(id);
  }
}

void request_tracker::send(uint64_t id, request_state& state) {
  self_->send(sequences_, state.request, caf::strong_actor_ptr(self_.ptr()->ctrl()));
  state.ask_at = self_->clock().now() + state.ask_after;
  unheard_.insert({state.ask_at, id});
}

/// Sends those once more of which nothing has been heard. The same attempt: nobody knows what has become of it.
void request_tracker::ask_again() {
  const auto now = self_->clock().now();
  while (sequences_ && !unheard_.empty() && unheard_.begin()->first <= now) {
    const auto due = *unheard_.begin();
    auto& state = requests_.at(due.second);
    state.ask_after = std::min(2 * state.ask_after, ask_after_max);
    send(due.second, state);
    unheard_.erase(due);
  }
}

/// The request goes on from the tokens received so far, in another sequence.
void request_tracker::lose(uint64_t id, request_state& lost, caf::timespan pause) {
  set_sequence(id, lost, nullptr);
  lost.sent = false;
  ++resubmitted_;
  if (pause == caf::timespan(0)) {
    unsent_.insert(id);
  } else {
    lost.pause_end = self_->clock().now() + pause;
    paused_.insert({lost.pause_end, id});
  }
}

/// The request's sequence ended because it got no memory. Sent again without a pause, it would meet the same lack of it.
void request_tracker::out_of_memory(uint64_t id, request_state& lost) {
  if (++lost.memory_failures < memory_failures_max)
    return lose(id, lost, restart_backoff(lost.memory_failures + 1, pause_first, pause_max));
  finish(id, finish_reason::error,
         "out of memory: this request got none " + std::to_string(memory_failures_max) + " times in a row", {});
}

/// The request's sequence ended by an exception: a fault of the moment, or of what is asked.
void request_tracker::failed(uint64_t id, request_state& lost, const caf::error& reason) {
  if (++lost.exceptions < exceptions_max) return lose(id, lost);
  finish(id, finish_reason::error, "this request failed " + std::to_string(exceptions_max) + " times in a row: " + reason_text(reason), {});
}

void request_tracker::end_pauses() {
  const auto now = self_->clock().now();
  while (!paused_.empty() && paused_.begin()->first <= now) {
    unsent_.insert(paused_.begin()->second);
    paused_.erase(paused_.begin());
  }
}

request_tracker::request_state* request_tracker::accept(uint64_t request_id) {
  const auto it = requests_.find(request_id);
  const auto& sender = self_->current_sender();
  return it != requests_.end() && sender && it->second.sequence == sender ? &it->second : nullptr;
}

void request_tracker::finish(uint64_t request_id, finish_reason reason, std::string error, std::string text,
                             std::vector<hypothesis> hypotheses) {
  generation_event event;
  event.request = request_id;
  event.kind = event_kind::finished;
  event.reason = reason;
  event.error = std::move(error);
  event.text = std::move(text);
  event.hypotheses = std::move(hypotheses);
  events_.push_back(std::move(event));
  const auto it = requests_.find(request_id);
  set_sequence(request_id, it->second, nullptr);
  unsent_.erase(request_id);
  paused_.erase({it->second.pause_end, request_id});
  requests_.erase(it);
}

void request_tracker::on_started(const v1::ActorStarted& started, const caf::strong_actor_ptr& handle) {
  if (started.path() == paths::directory) {
    const auto before = std::exchange(directory_, caf::actor_cast<directory_actor>(handle));
    if (!directory_ || directory_ == before) return;
    self_->monitor(directory_);
    v1::Subscribe request;
    request.add_paths(paths::sequences);
    self_->send(directory_, std::move(request), caf::strong_actor_ptr(self_.ptr()->ctrl()));
  } else {
    const auto before = std::exchange(sequences_, caf::actor_cast<sequences_actor>(handle));
    if (before == sequences_) return;
    self_->monitor(sequences_);
    // All sequences of its predecessor are lost, because sequences end with their supervisor. This message may arrive before
    // their down messages; or instead of them, if one hangs, and then nothing else would end it.
    for (auto& [id, state] : requests_) {
      if (state.sequence) cancel_at(state.sequence, id);
      if (state.sent) lose(id, state);
    }
    send_waiting();
  }
}

/// The request that `answer` is about, if it was sent and has no sequence yet, and the answer is to the newest attempt.
template <class Answer> request_tracker::request_state* request_tracker::awaiting(const Answer& answer) {
  const auto it = requests_.find(answer.request_id());
  if (it == requests_.end()) return nullptr;
  auto& state = it->second;
  return state.sent && !state.sequence && state.request.attempt() == answer.attempt() ? &state : nullptr;
}

void request_tracker::on_queued(const v1::GenerateQueued& queued) {
  auto* state = awaiting(queued);
  // What waits there has finished or is served, or it waits with another supervisor by now.
  if (!state) return cancel_at(self_->current_sender(), queued.request_id());
  state->request.set_was_admitted(true);
  unheard_.erase({state->ask_at, queued.request_id()});
  reset(others_quiet_);
  // Whoever it waits with ends it when a deadline passes. If that is not heard of, it is asked for then.
  const auto limit = next_deadline(state->request, state->request.generated_tokens_size() > 0);
  if (!limit) return;
  state->ask_at = caf::actor_clock::time_point(limit->when) + ask_after_first;
  unheard_.insert({state->ask_at, queued.request_id()});
}

void request_tracker::on_accepted(const v1::GenerateAccepted& accepted, const caf::strong_actor_ptr& sequence) {
  if (auto* state = awaiting(accepted)) {
    set_sequence(accepted.request_id(), *state, sequence);
    reset(state->quiet);
    reset(others_quiet_);
    state->request.set_was_admitted(true);
    state->request.set_was_started(true);
    self_->monitor(caf::actor_cast<caf::actor>(sequence));
  }
  const auto it = requests_.find(accepted.request_id());
  const bool serves = it != requests_.end() && it->second.sequence == sequence;
  // Else the request has finished, or another sequence serves it or shall: it arrived twice, or the supervisor of this one was given up
  // and has not ended.
  if (!serves) cancel_at(sequence, accepted.request_id());
}

void request_tracker::on_token(v1::TokenEvent& token) {
  auto* state = accept(token.request_id());
  if (!state) return;
  reset(state->quiet);
  const uint32_t received = uint32_t(state->request.generated_tokens_size());
  if (token.index() != received) return; // A repetition; or one before it was lost, which the end will show.
  state->request.add_generated_tokens(token.token());
  state->memory_failures = state->exceptions = 0;
  generation_event event;
  event.request = token.request_id();
  event.index = token.index();
  event.token = token.token();
  event.text = std::move(*token.mutable_text());
  event.logprobs = to_logprobs(token.logprobs());
  events_.push_back(std::move(event));
}

void request_tracker::on_end(v1::GenerateEnd& end) {
  const auto it = requests_.find(end.request_id());
  if (it == requests_.end()) return;
  // Accepted from the sequence that serves the request, or from the supervisor of sequences, which refuses to start one. From no
  // other actor: a late message from an earlier sequence, which was given up, must not end the request.
  const bool is_refusal =
    !it->second.sequence && self_->current_sender() == caf::actor_cast<caf::strong_actor_ptr>(sequences_);
  if (!is_refusal && !accept(end.request_id())) return;
  // Tokens were lost on the way; or this is a second sequence for the same request, which was cancelled as superfluous, but was
  // accepted when the first one had ended.
  const bool is_missing = it->second.sequence && end.tokens() != uint32_t(it->second.request.generated_tokens_size());
  const bool is_stray = end.finish_reason() == v1::FINISH_REASON_CANCELLED && !it->second.cancelled;
  if (is_missing || is_stray) {
    lose(it->first, it->second);
    return send_waiting();
  }
  std::vector<hypothesis> hypotheses;
  for (const auto& one : end.hypotheses()) hypotheses.push_back({{one.tokens().begin(), one.tokens().end()}, one.score()});
  const auto cached = end.prompt_tokens_cached();
  const std::chrono::milliseconds retry_after(end.retry_after_ms());
  finish(end.request_id(), to_reason(end.finish_reason()), end.error(), std::move(*end.mutable_text()), std::move(hypotheses));
  events_.back().prompt_tokens_cached = cached;
  events_.back().retry_after = retry_after;
}

void request_tracker::on_down(const caf::down_msg& down) {
  if (root_ && down.source == root_->address()) {
    root_ = nullptr;
    sequences_ = nullptr;
    stopped_ = engine_has_stopped(down.reason);
    for (const uint64_t id : pending()) finish(id, finish_reason::error, stopped_, {});
    return;
  }
  if (directory_ && down.source == directory_->address()) {
    directory_ = nullptr;
    sequences_ = nullptr;
    if (root_) self_->send(root_, v1::FindDirectory{});
  }
  if (sequences_ && down.source == sequences_->address()) sequences_ = nullptr;
  if (const auto served = served_.find(down.source.id()); served != served_.end()) {
    const uint64_t id = served->second;
    if (is_failure(down.reason, failure::out_of_memory)) out_of_memory(id, requests_.at(id));
    else if (is_failure(down.reason, failure::exception)) failed(id, requests_.at(id), down.reason);
    else lose(id, requests_.at(id));
  }
  send_waiting();
}

// -- liveness ------------------------------------------------------------------

void request_tracker::keep_ticking() {
  if (ticking_ || requests_.empty()) return;
  ticking_ = true;
  const bool is_soon = owed_ > 0 || !paused_.empty();
  self_->delayed_send(self_, is_soon ? liveness_tick_interval : liveness_silence, v1::ClientTick{});
}

void request_tracker::reset(silence& quiet) { quiet = {self_->clock().now()}; }

bool request_tracker::overdue(silence& quiet) {
  const auto now = self_->clock().now();
  if (now - quiet.heard < quiet.patience) return false;
  quiet.heard = now;
  quiet.patience = std::min(2 * quiet.patience, patience_max);
  return true;
}

void request_tracker::ask_sequence(request_state& state) {
  if (state.liveness.owes()) return;
  ++owed_;
  state.liveness.ask(state.request.request_id());
  v1::CheckLiveness question;
  question.set_check(state.request.request_id());
  send_packed(self_.ptr(), state.sequence, packed<v1::CheckLiveness>{std::move(question)});
}

void request_tracker::on_liveness_reply(const v1::LivenessReply& reply) {
  if (auto* state = accept(reply.check()); state && state->liveness.answer(reply.check())) --owed_;
}

void request_tracker::on_tick() {
  ticking_ = false;
  const auto ran = ran_.look(self_.ptr(), liveness_tick_interval);
  bool any_overdue = requests_.size() > served_.size() && overdue(others_quiet_);
  std::vector<uint64_t> lost;
  for (const auto& [sequence, id] : served_) {
    auto& state = requests_.at(id);
    if (state.liveness.tick(ran)) {
      v1::AbandonActor order;
      order.set_path(paths::sequence(state.sequence->id()));
      order.set_actor_id(state.sequence->id());
      order.set_reason("it does not answer a liveness check");
      if (directory_) self_->send(directory_, std::move(order));
      lost.push_back(id);
    } else if (overdue(state.quiet)) {
      any_overdue = true;
      ask_sequence(state);
    }
  }
  for (const uint64_t id : lost) lose(id, requests_.at(id));
  if (any_overdue && root_) {
    self_->send(root_, v1::CheckLiveness{});
    self_->send(root_, v1::FindDirectory{}); // The directory known here may be one that hung and was replaced.
  }
  end_pauses();
  ask_again();
  send_waiting();
  keep_ticking();
}

bool request_tracker::receive(std::chrono::milliseconds timeout) {
  if (timeout <= std::chrono::milliseconds(0) && self_.ptr()->mailbox().empty()) return false; // CAF would wait a moment.
  bool received = true;
  auto rows_event = [this](event_kind kind, uint32_t layer, bool of_encoder, const auto& rows) {
    auto* state = accept(rows.request_id());
    if (!state) return;
    reset(state->quiet);
    generation_event event;
    event.request = rows.request_id();
    event.kind = kind;
    event.layer = layer;
    event.of_encoder = of_encoder;
    event.position = rows.position();
    event.width = rows.width();
    event.values.assign(rows.values().begin(), rows.values().end());
    events_.push_back(std::move(event));
  };
  self_->receive(
    [this](const v1::ActorStarted& started, const caf::strong_actor_ptr& handle) { on_started(started, handle); },
    [this](const v1::GenerateQueued& queued) { on_queued(queued); },
    [this](const v1::GenerateAccepted& accepted, const caf::strong_actor_ptr& sequence) {
      on_accepted(accepted, sequence);
    },
    [this](v1::TokenEvent& token) { on_token(token); },
    [&](const v1::LogitsRows& rows) { rows_event(event_kind::logits, 0, false, rows); },
    [&](const v1::HiddenRows& rows) { rows_event(event_kind::hidden_states, rows.layer(), rows.of_encoder(), rows); },
    [this](v1::GenerateEnd& end) { on_end(end); }, [this](v1::GenerateRequest& request) { submit(std::move(request)); },
    [this](v1::GenerateRequest& request, const request_listener& to) {
      auto& listener = *listeners_.emplace(request.request_id(), to.listener).first->second;
      submit(std::move(request));
      listener.begin();
    },
    [this](const v1::CancelRequest& order) { cancel(order.request_id()); }, [this](const v1::ClientTick&) { on_tick(); },
    [this](const v1::LivenessReply& reply) { on_liveness_reply(reply); },
    [this](const caf::down_msg& down) { on_down(down); }, caf::after(timeout) >> [&] { received = false; });
  return received;
}

} // namespace troupe
