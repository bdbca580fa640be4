#pragma once
// What the injector can know of a message without being its receiver, and how it corrupts one. A message may be shared: only
// copies are changed.
#include "actors/faults/trigger.hpp"
#include "troupe/v1/step.pb.h"
#include <caf/mailbox_element.hpp>
#include <functional>
#include <vector>

namespace troupe {

/// "AttendResult"; empty when it is none of the project's messages (an exit_msg, say).
std::string_view type_of(const caf::type_erased_tuple& content);

/// A copy of what the element holds, with the same sender and id.
caf::mailbox_element_ptr copy_of(const caf::mailbox_element& element);

/// From a sequence's id (its actor's) to the request it serves.
using request_of = std::function<uint64_t(uint64_t sequence_id)>;

/// The rows of a plan's slices.
std::vector<request_rows> request_rows_of(const v1::StepPlan& plan, const request_of& lookup);

/// The rows a message is about; of messages of a step that do not carry the plan, those of `current`.
std::vector<request_rows> request_rows_of(const caf::type_erased_tuple& content, const std::vector<request_rows>& current,
                                          const request_of& lookup);

/// Whether there are numbers in it that could be corrupted.
bool has_values(const caf::type_erased_tuple& content);

/// Whether the effect is possible for this message at all: one without values has none to corrupt.
bool is_possible(const v1::Effect& effect, const caf::type_erased_tuple& content);

/// Puts a copy in its place that is corrupted as the effect (not_a_number, infinite, flip_bit, wrong_shape) says.
void corrupt(caf::mailbox_element_ptr& element, const v1::Effect& effect, fault_rng& rng);

/// Puts a copy in its place that breaks an invariant of the receiver, so that its handler throws. False: there is no way to.
/// `to`: the receiver's path.
bool make_it_throw(caf::mailbox_element_ptr& element, std::string_view to);

/// A useless copy: of a message of a step one that belongs to a step long past, else the same.
caf::message useless_copy(const caf::mailbox_element& element);

} // namespace troupe
