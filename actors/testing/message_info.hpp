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
  generate_accepted,
  token_event,
  rows, // LogitsRows, HiddenRows.
  generate_end,
  end_request, // CancelRequest, FailSequence.
};
constexpr size_t message_kinds = size_t(message_kind::end_request) + 1;

struct message_info {
  message_kind kind = message_kind::other;
  std::string_view name; // "AttendStep"; of what is none of ours, empty.
  step_id step;          // Zero: not about a step.
};
message_info read_message(const caf::type_erased_tuple& content);

/// Whether troupe recovers when a message of this kind is lost, or comes twice.
bool may_be_lost(message_kind kind);
bool may_come_twice(message_kind kind);

/// How values are corrupted.
enum class corruption : uint8_t { nan, infinity, shape };

/// Replaces `element` by a corrupted copy: one value (the `draw`th, modulo their number) is not finite, or one is missing.
/// False: it carries no values, and nothing was done.
bool corrupt(caf::mailbox_element_ptr& element, corruption how, uint64_t draw);

/// Replaces the message's sender and, in a GenerateRequest or GenerateAccepted, the handle that comes with it, by what
/// `translate` makes of them: the receiver then answers to that. Null: stays as it is.
using translation = std::function<caf::strong_actor_ptr(const caf::strong_actor_ptr&)>;
void translate_handles(caf::mailbox_element_ptr& element, const translation& translate);

} // namespace troupe::testing
