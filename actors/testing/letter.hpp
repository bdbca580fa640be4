#pragma once
// What a simulation can see of a message on its way, and how it spoils one.
#include "actors/step.hpp"
#include <caf/all.hpp>
#include <cstdint>
#include <functional>
#include <string_view>

namespace troupe::testing {

/// Which message it is. `other` is everything that is none of ours: exits, downs.
enum class letter_kind : uint8_t {
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
constexpr size_t letter_kinds = size_t(letter_kind::end_request) + 1;

struct letter_facts {
  letter_kind kind = letter_kind::other;
  std::string_view name; // "AttendStep"; of what is none of ours, empty.
  step_id step;          // Zero: not about a step.
};
letter_facts read_letter(const caf::type_erased_tuple& content);

/// Whether troupe recovers when a message of this kind is lost, or comes twice.
bool may_be_lost(letter_kind kind);
bool may_come_twice(letter_kind kind);

/// How values are spoiled.
enum class spoiling : uint8_t { nan, infinity, shape };

/// Replaces `letter` by a spoiled copy: one value (the `draw`th, modulo their number) is not finite, or one is missing.
/// False: it carries no values, and nothing was done.
bool spoil(caf::mailbox_element_ptr& letter, spoiling how, uint64_t draw);

/// Replaces the letter's sender and, in a GenerateRequest or GenerateAccepted, the handle that comes with it, by what
/// `translate` makes of them: whoever reads the letter then answers to that. Null: stays as it is.
using translation = std::function<caf::strong_actor_ptr(const caf::strong_actor_ptr&)>;
void translate_handles(caf::mailbox_element_ptr& letter, const translation& translate);

} // namespace troupe::testing
