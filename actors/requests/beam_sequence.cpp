#include "actors/requests/beam_sequence.hpp"

#include "actors/interfaces/paths.hpp"
#include "actors/requests/deadlines.hpp"
#include "actors/requests/decoding_messages.hpp"
#include "actors/requests/logits_slice.hpp"
#include "actors/supervision/failure.hpp"
#include "actors/supervision/liveness.hpp"
#include "model/error.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace troupe {
namespace {

using beam_pointer = sequence_actor::stateful_pointer<beam_sequence_state>;

const std::vector<uint32_t>& log_of(const beam_sequence_state& st, size_t branch) { return st.search->live()[branch].log; }

/// `cached`: how many positions the heads probably hold, of this branch or of the one that it continues.
void join(beam_pointer self, size_t branch, uint32_t cached, uint64_t forked_from = 0) {
  const auto& st = self->state;
  const auto& log = log_of(st, branch);
  v1::JoinBatch message;
  message.set_sequence_id(st.branches[branch].id);
  message.mutable_tokens()->Add(log.begin(), log.end());
  *message.mutable_source_tokens() = st.request.source_tokens();
  *message.mutable_features() = st.request.features();
  message.set_cached_positions(cached);
  message.set_replica(st.replica);
  message.set_logits_from(uint32_t(log.size()) - 1);
  message.set_priority(st.request.priority());
  message.set_tenant(st.request.tenant());
  message.set_tenant_weight(st.request.tenant_weight());
  message.set_group(self->id());
  message.set_forked_from(forked_from);
  self->send(st.scheduler, std::move(message));
}

void append(beam_pointer self, size_t branch, uint32_t position) {
  v1::AppendToken next;
  next.set_sequence_id(self->state.branches[branch].id);
  next.set_position(position);
  next.set_token(log_of(self->state, branch)[position]);
  self->send(self->state.scheduler, std::move(next));
}

void leave(beam_pointer self, uint64_t id) {
  v1::LeaveBatch message;
  message.set_sequence_id(id);
  if (self->state.scheduler) self->send(self->state.scheduler, std::move(message));
}

void end(beam_pointer self) {
  for (const auto& branch : self->state.branches) leave(self, branch.id);
  self->demonitor(caf::actor_cast<caf::actor>(self->state.client)); // Else it would remember every sequence that has served it.
  self->quit();
}

void finish(beam_pointer self, v1::FinishReason reason, const std::string& error = {}) {
  const auto& st = self->state;
  v1::GenerateEnd message;
  message.set_request_id(st.request.request_id());
  message.set_finish_reason(reason);
  message.set_error(error);
  message.set_prompt_tokens_cached(std::min(st.reused, uint32_t(st.request.prompt_tokens_size())));
  if (st.search->done())
    for (const auto& one : st.search->best()) {
      auto* hypothesis = message.add_hypotheses();
      hypothesis->mutable_tokens()->Add(one.tokens.begin(), one.tokens.end());
      hypothesis->set_score(one.score);
    }
  using receiver = caf::typed_actor<caf::reacts_to<v1::GenerateEnd>>;
  if (const auto to = caf::actor_cast<receiver>(st.client)) self->send(to, std::move(message));
  end(self);
}

/// All branches have their logits.
void advance(beam_pointer self) {
  auto& st = self->state;
  std::vector<std::span<const float>> logits;
  for (const auto& branch : st.branches) logits.emplace_back(branch.logits);
  st.search->advance(logits);
  st.joined_again = false;
  st.damaged = 0;
  if (st.search->done() && st.search->best().empty()) return finish(self, v1::FINISH_REASON_ERROR, no_token_allowed);
  if (st.search->done()) return finish(self, v1::FINISH_REASON_STOP);
  if (st.ids_used + st.search->live().size() > branches_max)
    return finish(self, v1::FINISH_REASON_ERROR, "this beam search has forked too often");

  const auto before = std::exchange(st.branches, {});
  std::set<uint64_t> kept;
  std::vector<uint64_t> forked_from;
  for (const auto& live : st.search->live()) {
    const uint64_t parent = before[live.parent].id;
    const bool goes_on = kept.insert(parent).second;
    st.branches.push_back({goes_on ? parent : branch_id(self->id(), st.ids_used++), {}});
    forked_from.push_back(goes_on ? 0 : parent);
  }
  // Joins first: the scheduler plans when no branch owes its next token.
  for (size_t i = 0; i < st.branches.size(); ++i)
    if (forked_from[i] != 0) join(self, i, uint32_t(log_of(st, i).size()) - 1, forked_from[i]);
  for (const auto& branch : before)
    if (!kept.contains(branch.id)) leave(self, branch.id);
  for (size_t i = 0; i < st.branches.size(); ++i)
    if (forked_from[i] == 0) append(self, i, uint32_t(log_of(st, i).size()) - 1);
}

/// Those whose logits come a second time were asked again, because others are missing that the scheduler does not seem to know.
void join_missing(beam_pointer self) {
  auto& st = self->state;
  if (std::exchange(st.joined_again, true)) return;
  for (size_t i = 0; i < st.branches.size(); ++i)
    if (st.branches[i].logits.empty()) join(self, i, 0);
}

/// The scheduler has not heard that these branches have left.
void leave_again(beam_pointer self, const v1::StepPlan& plan) {
  const auto& branches = self->state.branches;
  for (const uint64_t id : plan.sequence_ids())
    if (actor_of_branch(id) == self->id() && std::ranges::find(branches, id, &beam_sequence_state::branch::id) == branches.end())
      leave(self, id);
}

void on_logits_result(beam_pointer self, const v1::LogitsResult& result) {
  auto& st = self->state;
  TROUPE_ASSERT(result.width() == st.config.output_columns);
  st.replica = result.plan().replica();
  leave_again(self, result.plan());
  bool is_damaged = false, is_repeated = false;
  for (size_t i = 0; i < st.branches.size(); ++i) {
    auto& branch = st.branches[i];
    const auto place = find_slice(result.plan(), branch.id);
    if (!place || place->logits_rows == 0) continue;
    const uint32_t size = uint32_t(log_of(st, i).size());
    if (!are_whole(result, *place)) {
      is_damaged = true;
      join(self, i, size - 1);
    } else if (place->end() < size) {
      append(self, i, place->end()); // The scheduler did not hear of what followed.
    } else if (place->end() == size) {
      is_repeated |= !branch.logits.empty();
      const auto last = logits_of(result, *place, place->logits_rows - 1);
      branch.logits.assign(last.begin(), last.end());
    }
  }
  if (is_damaged && id_of(result.plan()) > st.damaged_step) {
    st.damaged_step = id_of(result.plan());
    if (++st.damaged >= sequence_state::damaged_max)
      return finish(self, v1::FINISH_REASON_ERROR,
                    "logits were damaged on their way " + std::to_string(st.damaged) + " times in a row");
  }
  const auto has_logits = [](const auto& branch) { return !branch.logits.empty(); };
  if (std::all_of(st.branches.begin(), st.branches.end(), has_logits)) advance(self);
  else if (is_repeated) join_missing(self);
}

} // namespace

sequence_actor::behavior_type beam_sequence(beam_pointer self, sequence_config config, v1::GenerateRequest request,
                                            caf::strong_actor_ptr client) {
  report_exceptions(self);
  auto& state = self->state;
  state.config = std::move(config);
  state.request = std::move(request);
  state.client = std::move(client);
  const auto& asked = state.request;
  const uint32_t prompt = uint32_t(asked.prompt_tokens_size());
  TROUPE_ASSERT(prompt > 0 && prompt < state.config.positions_max && asked.tokens_max() > 0);
  state.search.emplace(to_options(asked.beam_search()), rules_of(asked, state.config.end_of_generation),
                       std::vector<uint32_t>(asked.prompt_tokens().begin(), asked.prompt_tokens().end()),
                       std::min(asked.tokens_max(), state.config.positions_max - prompt));
  state.branches.push_back({self->id(), {}});
  self->set_down_handler([self](const caf::down_msg&) { end(self); }); // The client has ended.
  self->monitor(caf::actor_cast<caf::actor>(state.client));
  send_accepted(self, asked, self->ctrl(), state.client);
  subscribe(self, state.config.directory, {paths::scheduler});
  end_when_late(self, false, finish);
  return {
    [self](const v1::LogitsResult& result) { on_logits_result(self, result); },
    [](const v1::HiddenStates&) {}, // Of a step that another sequence wants to observe.
    [self](const v1::FailSequence& failure) {
      // Not from an earlier scheduler: see sequence.
      if (self->current_sender() == caf::actor_cast<caf::strong_actor_ptr>(self->state.scheduler))
        finish(self, v1::FINISH_REASON_ERROR, failure.reason());
    },
    [self](const v1::PrefixReused& reused) { self->state.reused = std::max(self->state.reused, reused.positions()); },
    [self](const v1::SequenceTick&) { end_when_late(self, false, finish); },
    [self](const v1::CancelRequest&) { finish(self, v1::FINISH_REASON_CANCELLED); },
    [self](const v1::ActorStarted&, const caf::strong_actor_ptr& handle) {
      auto& st = self->state;
      st.scheduler = caf::actor_cast<scheduler_actor>(handle);
      // A new scheduler waits for all branches, whatever this one has of them.
      for (size_t i = 0; i < st.branches.size(); ++i) {
        st.branches[i].logits.clear();
        // At the very beginning no head holds anything.
        const uint32_t size = uint32_t(log_of(st, i).size());
        join(self, i, size > uint32_t(st.request.prompt_tokens_size()) ? size - 1 : 0);
      }
    },
    [self](const v1::CheckLiveness& check) { answer_liveness_check(self, check); },
  };
}

} // namespace troupe
