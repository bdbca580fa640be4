#include "actors/requests/sequence.hpp"

#include "actors/interfaces/paths.hpp"
#include "actors/requests/deadlines.hpp"
#include "actors/requests/decoding_messages.hpp"
#include "actors/requests/event_messages.hpp"
#include "actors/requests/logits_slice.hpp"
#include "actors/supervision/failure.hpp"
#include "actors/supervision/liveness.hpp"
#include "model/constraints/automaton.hpp"
#include "model/error.hpp"
#include "model/kernels/rowwise.hpp"
#include "model/sampling/logprobs.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <span>
#include <utility>

namespace troupe {

void send_accepted(caf::local_actor* self, const v1::GenerateRequest& request, const caf::strong_actor_ptr& sequence,
                   const caf::strong_actor_ptr& client) {
  v1::GenerateAccepted accepted;
  accepted.set_request_id(request.request_id());
  accepted.set_attempt(request.attempt());
  accepted.set_sequence_id(sequence->id());
  send_packed(self, client, packed<v1::GenerateAccepted, caf::strong_actor_ptr>{std::move(accepted), sequence});
}

namespace {

using sequence_pointer = sequence_actor::stateful_pointer<sequence_state>;

template <class Message> void tell_client(sequence_pointer self, Message message) {
  message.set_request_id(self->state.request.request_id());
  using receiver = caf::typed_actor<caf::reacts_to<Message>>;
  if (const auto to = caf::actor_cast<receiver>(self->state.client)) self->send(to, std::move(message));
}

void leave(sequence_pointer self) {
  v1::LeaveBatch message;
  message.set_sequence_id(self->id());
  if (self->state.scheduler) self->send(self->state.scheduler, std::move(message));
  // Else the client would remember every sequence that has ever served it.
  self->demonitor(caf::actor_cast<caf::actor>(self->state.client));
  self->quit();
}

void finish(sequence_pointer self, v1::FinishReason reason, const std::string& error = {}) {
  auto& st = self->state;
  v1::GenerateEnd end;
  end.set_finish_reason(reason);
  end.set_error(error);
  end.set_text(st.stops.push(st.utf8.finish()) + st.stops.finish());
  end.set_tokens(st.generated());
  end.set_prompt_tokens_cached(std::min(st.reused, st.prompt_size()));
  tell_client(self, std::move(end));
  leave(self);
}

/// Appends the next token to the log. Returns why the sequence ends with it, if it does; `text` is what may be sent to the
/// client.
std::optional<v1::FinishReason> append(sequence_state& st, uint32_t token, std::string& text) {
  st.log.push_back(token);
  if (st.rules.ends(token)) return v1::FINISH_REASON_STOP;
  if (st.matcher) try {
      TROUPE_ASSERT(st.matcher->advance(token));
    } catch (const input_error& error) {
      st.error = error.what();
      return v1::FINISH_REASON_ERROR;
    }
  if (st.config.words) text = st.stops.push(st.utf8.push(st.config.words->token_bytes(token)));
  if (st.stops.stopped() || (st.matcher && st.matcher->must_end())) return v1::FINISH_REASON_STOP;
  if (st.generated() >= st.request.tokens_max() || st.log.size() >= st.config.positions_max)
    return v1::FINISH_REASON_LENGTH;
  return std::nullopt;
}

/// `cached`: how many positions the heads probably hold, so that they need not be computed again.
void join_batch(sequence_pointer self, uint32_t cached) {
  const auto& st = self->state;
  v1::JoinBatch join;
  join.set_sequence_id(self->id());
  join.mutable_tokens()->Add(st.log.begin(), st.log.end());
  *join.mutable_segments() = st.request.segments();
  *join.mutable_source_tokens() = st.request.source_tokens();
  *join.mutable_features() = st.request.features();
  join.set_cached_positions(cached);
  join.set_replica(st.replica);
  join.set_logits_from(st.wants_all_logits() ? cached : uint32_t(st.log.size()) - 1);
  join.set_want_hidden_states(st.request.want_hidden_states());
  join.set_priority(st.request.priority());
  join.set_tenant(st.request.tenant());
  join.set_tenant_weight(st.request.tenant_weight());
  self->send(st.scheduler, std::move(join));
}

void reply_token(sequence_pointer self, uint32_t position) {
  const auto& st = self->state;
  v1::AppendToken next;
  next.set_sequence_id(self->id());
  next.set_position(position);
  next.set_token(st.log[position]);
  self->send(st.scheduler, std::move(next));
}

/// scores of tokens with which the text would not be one that the constraint allows become -infinity; those that end it stay as they
/// are where it may end.
void apply_constraint(sequence_state& st, std::span<float> scores) {
  constexpr float never = -std::numeric_limits<float>::infinity();
  const auto& mask = st.matcher->allowed();
  std::vector<float> of_ends;
  for (const uint32_t token : st.rules.end_tokens) of_ends.push_back(st.matcher->may_end() ? scores[token] : never);
  for (size_t token = 0; token < scores.size(); ++token)
    if (token / 64 >= mask.size() || !has_token(mask, uint32_t(token))) scores[token] = never;
  for (size_t i = 0; i < of_ends.size(); ++i) scores[st.rules.end_tokens[i]] = of_ends[i];
}

void sample_next(sequence_pointer self, std::span<const float> logits) {
  auto& st = self->state;
  v1::TokenEvent event;
  event.set_index(st.generated());
  std::vector<float> allowed;
  const auto unruled = logits;
  if (!st.rules.empty() || st.matcher) {
    TROUPE_ASSERT(is_finite(logits));
    allowed.assign(logits.begin(), logits.end());
    st.rules.apply(allowed, st.log, st.generated(), st.tokens_max());
    for (const auto& [token, bias] : st.sampling.logit_bias)
      if (bias == -std::numeric_limits<float>::infinity()) allowed[token] = bias; // Else a forced token would take it back.
    if (st.matcher) try {
        apply_constraint(st, allowed);
      } catch (const input_error& error) {
        return finish(self, v1::FINISH_REASON_ERROR, error.what());
      }
    const auto is_allowed = [](float score) { return score != -std::numeric_limits<float>::infinity(); };
    if (std::ranges::none_of(allowed, is_allowed)) {
      if (st.matcher && st.matcher->may_end()) return finish(self, v1::FINISH_REASON_STOP);
      return finish(self, v1::FINISH_REASON_ERROR, no_token_allowed);
    }
    logits = allowed;
  }
  event.set_token(sample(st.sampling, logits, st.log, st.log.size()));
  std::string text;
  const auto end = append(st, event.token(), text);
  event.set_text(std::move(text));
  // First what the next step waits for: waking a client's thread takes tens of microseconds.
  if (!end) reply_token(self, uint32_t(st.log.size()) - 1);
  // Speech is judged by them, as in whisper: among the tokens that its rules allow.
  const auto judged = st.rules.timestamps ? logits : unruled;
  if (st.request.want_logprobs()) add_logprobs(*event.mutable_logprobs(), logprobs(judged, event.token(), st.request.top_logprobs()));
  tell_client(self, std::move(event));
  if (end) finish(self, *end, st.error);
}

void on_logits_result(sequence_pointer self, const v1::LogitsResult& result) {
  auto& st = self->state;
  const auto place = find_slice(result.plan(), self->id());
  if (!place || place->logits_rows == 0) return;
  TROUPE_ASSERT(result.width() == st.config.output_columns);
  st.replica = result.plan().replica();
  // Damaged on the way here: once more from what is known to be right. For the scheduler that counts as the answer it waits for.
  if (!are_whole(result, *place)) {
    if (id_of(result.plan()) <= st.damaged_step) return; // It was asked for again already.
    st.damaged_step = id_of(result.plan());
    if (++st.damaged < sequence_state::damaged_max) return join_batch(self, st.cached);
    return finish(self, v1::FINISH_REASON_ERROR,
                  "logits were damaged on their way " + std::to_string(st.damaged) + " times in a row");
  }
  st.damaged = 0;
  const uint32_t end = place->end();
  if (st.request.want_logits() && end <= st.prompt_size()) {
    const uint32_t position = st.config.output_of_first_row ? 0 : end - place->logits_rows;
    const float* logits = logits_of(result, *place, 0).data();
    v1::LogitsRows rows;
    rows.set_position(position);
    rows.set_width(result.width());
    rows.mutable_values()->Add(logits, logits + uint64_t(place->logits_rows) * result.width());
    tell_client(self, std::move(rows));
    // Rows before these were lost on the way: once more from there.
    if (position > st.scored) return join_batch(self, st.scored);
    st.scored = std::max(st.scored, end);
  }
  if (end > st.log.size() || end < st.prompt_size()) return;
  st.cached = std::max(st.cached, end);
  if (end < st.log.size()) return reply_token(self, end);
  if (st.request.tokens_max() == 0) return finish(self, v1::FINISH_REASON_LENGTH);
  sample_next(self, logits_of(result, *place, place->logits_rows - 1));
}

/// Sends `count` rows of a matrix on.
void send_hidden(sequence_pointer self, const float_field& values, uint32_t width, uint64_t first_row, uint32_t count,
                 v1::HiddenRows rows) {
  const float* first = values.data() + first_row * width;
  rows.set_width(width);
  rows.mutable_values()->Add(first, first + uint64_t(count) * width);
  tell_client(self, std::move(rows));
}

/// The rows of this sequence's source in a matrix of a step's source rows.
void send_source_states(sequence_pointer self, const v1::StepPlan& plan, const float_field& values, uint32_t width, uint32_t layer) {
  uint64_t row = 0;
  for (int i = 0; i < plan.source_rows_size(); row += plan.source_rows(i), ++i) {
    if (plan.source_sequence_ids(i) != self->id()) continue;
    v1::HiddenRows rows;
    rows.set_of_encoder(true);
    rows.set_layer(layer);
    send_hidden(self, values, width, row, plan.source_rows(i), std::move(rows));
  }
}

void on_hidden_states(sequence_pointer self, const v1::HiddenStates& states) {
  const auto& plan = states.plan();
  const auto& st = self->state;
  if (!st.request.want_hidden_states()) return;
  if (states.of_encoder()) return send_source_states(self, plan, states.values(), states.width(), states.layer());
  if (states.layer() == 0) send_source_states(self, plan, states.source_values(), states.width(), st.config.encoder_layers + 1);
  const auto place = find_slice(plan, self->id());
  if (!place || place->position >= st.prompt_size()) return;
  v1::HiddenRows rows;
  rows.set_layer(states.layer());
  rows.set_position(place->position);
  // A replay may run past the prompt.
  const uint32_t count = std::min(place->rows, st.prompt_size() - place->position);
  send_hidden(self, states.values(), states.width(), place->row, count, std::move(rows));
}

/// Continues the request where the sequence that served it before ended: same log, same state of the text stream, nothing sent
/// again. Returns why it is finished already, if it is.
std::optional<v1::FinishReason> resume(sequence_state& st) {
  st.log.assign(st.request.prompt_tokens().begin(), st.request.prompt_tokens().end());
  TROUPE_ASSERT(!st.log.empty());
  TROUPE_ASSERT(st.log.size() <= st.config.positions_max);
  std::optional<v1::FinishReason> end;
  std::string text;
  for (const uint32_t token : st.request.generated_tokens()) end = append(st, token, text);
  for (const uint32_t token : st.log) TROUPE_ASSERT(token < st.config.vocabulary);
  if (!end && st.request.tokens_max() > 0 && st.log.size() >= st.config.positions_max) end = v1::FINISH_REASON_LENGTH;
  if (!end && st.request.tokens_max() > 0 && st.matcher && st.matcher->must_end()) end = v1::FINISH_REASON_STOP; // The empty text.
  return end;
}

} // namespace

sequence_actor::behavior_type sequence(sequence_pointer self, sequence_config config, v1::GenerateRequest request,
                                       caf::strong_actor_ptr client) {
  report_exceptions(self);
  auto& state = self->state;
  state.config = std::move(config);
  state.request = std::move(request);
  state.client = std::move(client);
  state.sampling = to_options(state.request.sampling());
  state.rules = rules_of(state.request, state.config.end_of_generation);
  state.stops = stop_filter({state.request.stop_strings().begin(), state.request.stop_strings().end()});
  self->set_down_handler([self](const caf::down_msg&) { leave(self); }); // The client has ended.
  self->monitor(caf::actor_cast<caf::actor>(state.client));
  send_accepted(self, state.request, self->ctrl(), state.client);
  if (state.request.has_constraint()) try {
      TROUPE_ASSERT(state.config.tokens != nullptr);
      state.matcher.emplace(compile(to_constraint(state.request.constraint())), state.config.tokens);
    } catch (const input_error& error) { // The client has checked it, so this is another version's.
      state.error = error.what();
    }
  if (!state.error.empty()) {
    finish(self, v1::FINISH_REASON_ERROR, state.error);
  } else if (const auto end = resume(state)) {
    finish(self, *end, state.error);
  } else {
    subscribe(self, state.config.directory, {paths::scheduler});
    end_when_late(self, state.generated() > 0, finish);
  }
  return {
    [self](const v1::LogitsResult& result) { on_logits_result(self, result); },
    [self](const v1::HiddenStates& states) { on_hidden_states(self, states); },
    [self](const v1::FailSequence& failure) {
      // Not from an earlier scheduler: one that hung and goes on after it was replaced finds no other actor, fails its steps, and
      // must not end sequences that the new scheduler serves.
      if (self->current_sender() == caf::actor_cast<caf::strong_actor_ptr>(self->state.scheduler))
        finish(self, v1::FINISH_REASON_ERROR, failure.reason());
    },
    [self](const v1::PrefixReused& reused) { self->state.reused = std::max(self->state.reused, reused.positions()); },
    [self](const v1::SequenceTick&) { end_when_late(self, self->state.generated() > 0, finish); },
    [self](const v1::CancelRequest&) { finish(self, v1::FINISH_REASON_CANCELLED); },
    [self](const v1::ActorStarted&, const caf::strong_actor_ptr& handle) {
      self->state.scheduler = caf::actor_cast<scheduler_actor>(handle);
      join_batch(self, self->state.cached);
    },
    [self](const v1::CheckLiveness& check) { answer_liveness_check(self, check); },
  };
}

} // namespace troupe
