#pragma once
// What a simulation can see of a message on its way, and how it corrupts one.
#include "actors/interfaces/step.hpp"
#include <caf/all.hpp>
#include <cstdint>
#include <functional>
#include <string_view>

namespace troupe::testing {

/// Which message it is. `other` is everything that is none of ours: exits, downs.
enum class message_kind : uint8_t {
  other,
  supervision,  // Anything of supervision.proto, and the scheduler's own business: sent once, never to be lost.
  forward_step, // From here on the messages of a step,
  hidden_states,
  attend_step,
  attend_result,
  project_step,
  project_result,
  logits_result,
  step_fault,
  report_progress,
  step_progress,
  append_token, // and of a request.
  join_batch,
  leave_batch,
  generate_request,
  generate_accepted, // GenerateQueued too.
  token_event,
  rows, // LogitsRows, HiddenRows.
  generate_end,
  end_request, // CancelRequest, FailSequence.
  begin_step,  // From here on the messages of a training step,
  owner_ready,
  forward_batch,
  forward_states,
  backward_states,
  head_pass,
  head_pass_result,
  shard_pass,
  shard_pass_result,
  sum_logits,
  logit_sums,
  batch_loss,
  batch_done,
  collect_gradients,
  copy_gradient,
  copy_values,
  gradient_squares,
  update_weights,
  owner_updated,
  fetch_state, // and of a training run.
  parameter_state,
  fetch_batch,
  training_batch,
  run_step,
  step_report,
};
constexpr size_t message_kinds = size_t(message_kind::step_report) + 1;
/// Is any of training's own.
constexpr bool is_of_training(message_kind kind) { return kind >= message_kind::begin_step; }

struct message_info {
  message_kind kind = message_kind::other;
  std::string_view name; // "AttendStep"; of what is none of ours, empty.
  step_id step;          // Zero: not about a step.
};
message_info read_message(const caf::type_erased_tuple& content);

/// Whether troupe recovers when a message of this kind is lost, or comes twice.
bool may_be_lost(message_kind kind);
bool may_come_twice(message_kind kind);

/// A request with values to a head or a shard, whose answer is checked.
bool asks_for_values(message_kind kind);

/// Whether a client's handle comes with it, for answers.
bool brings_client(message_kind kind);

/// How values are corrupted.
enum class corruption : uint8_t { nan, infinity, shape };

/// Replaces `element` by a corrupted copy: one value, chosen by `draw`, is not finite, or one is missing. False: it carries no values
/// that a receiver checks, and nothing was done.
bool corrupt(caf::mailbox_element_ptr& element, corruption how, uint64_t draw);

/// Replaces the message's sender and, where a handle for answers comes with it (in a GenerateRequest, GenerateAccepted, RunStep or
/// BeginStep), that handle, by what `translate` makes of them: the receiver then answers to that. Null: stays as it is.
using translation = std::function<caf::strong_actor_ptr(const caf::strong_actor_ptr&)>;
void translate_handles(caf::mailbox_element_ptr& element, const translation& translate);

} // namespace troupe::testing
