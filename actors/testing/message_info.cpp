#include "actors/testing/message_info.hpp"

#include "messages/caf_message.hpp"
#include "messages/message_types.hpp"

#include <limits>
#include <typeindex>
#include <unordered_map>

namespace troupe::testing {
namespace {

template <class T> constexpr message_kind kind_of = message_kind::supervision;
template <> constexpr message_kind kind_of<v1::ForwardStep> = message_kind::forward_step;
template <> constexpr message_kind kind_of<v1::HiddenStates> = message_kind::hidden_states;
template <> constexpr message_kind kind_of<v1::AttendStep> = message_kind::attend_step;
template <> constexpr message_kind kind_of<v1::AttendResult> = message_kind::attend_result;
template <> constexpr message_kind kind_of<v1::ProjectStep> = message_kind::project_step;
template <> constexpr message_kind kind_of<v1::ProjectResult> = message_kind::project_result;
template <> constexpr message_kind kind_of<v1::LogitsResult> = message_kind::logits_result;
template <> constexpr message_kind kind_of<v1::StepFault> = message_kind::step_fault;
template <> constexpr message_kind kind_of<v1::ReportProgress> = message_kind::report_progress;
template <> constexpr message_kind kind_of<v1::StepProgress> = message_kind::step_progress;
template <> constexpr message_kind kind_of<v1::AppendToken> = message_kind::append_token;
template <> constexpr message_kind kind_of<v1::JoinBatch> = message_kind::join_batch;
template <> constexpr message_kind kind_of<v1::LeaveBatch> = message_kind::leave_batch;
template <> constexpr message_kind kind_of<v1::GenerateRequest> = message_kind::generate_request;
template <> constexpr message_kind kind_of<v1::GenerateAccepted> = message_kind::generate_accepted;
template <> constexpr message_kind kind_of<v1::TokenEvent> = message_kind::token_event;
template <> constexpr message_kind kind_of<v1::LogitsRows> = message_kind::rows;
template <> constexpr message_kind kind_of<v1::HiddenRows> = message_kind::rows;
template <> constexpr message_kind kind_of<v1::GenerateEnd> = message_kind::generate_end;
template <> constexpr message_kind kind_of<v1::CancelRequest> = message_kind::end_request;
template <> constexpr message_kind kind_of<v1::FailSequence> = message_kind::end_request;

template <class T> step_id step_of(const void* message) {
  const auto& m = *static_cast<const T*>(message);
  if constexpr (requires { m.plan().step(); }) return id_of(m.plan());
  else if constexpr (requires { m.epoch() + m.step(); }) return id_of(m);
  else return {};
}

struct type_entry {
  message_kind kind;
  std::string_view name;
  step_id (*step)(const void*);
};

const std::unordered_map<std::type_index, type_entry>& known_types() {
  static const std::unordered_map<std::type_index, type_entry> types{
#define TROUPE_ENTRY(name) {typeid(v1::name), {kind_of<v1::name>, #name, step_of<v1::name>}},
    TROUPE_MESSAGE_TYPES(TROUPE_ENTRY)
#undef TROUPE_ENTRY
  };
  return types;
}

template <class Message>
bool corrupt_as(caf::mailbox_element_ptr& element, corruption how, uint64_t draw) {
  if (!element->content().match_elements<Message>()) return false;
  auto copy = element->content().get_as<Message>(0);
  auto& values = *copy.mutable_values();
  if (values.empty()) return false;
  const int place = int(draw % uint64_t(values.size()));
  switch (how) {
  case corruption::nan: values.Set(place, std::numeric_limits<float>::quiet_NaN()); break;
  case corruption::infinity: values.Set(place, std::numeric_limits<float>::infinity()); break;
  case corruption::shape: values.RemoveLast(); break;
  }
  element = caf::make_mailbox_element(element->sender, element->mid, element->stages, std::move(copy));
  return true;
}

/// Whether the message is (Message, handle); then the handle is translated.
template <class Message> bool translate_in(caf::mailbox_element_ptr& element, const translation& translate) {
  const auto& content = element->content();
  if (!content.match_elements<Message, caf::strong_actor_ptr>()) return false;
  if (auto known_as = translate(content.get_as<caf::strong_actor_ptr>(1)))
    element = caf::make_mailbox_element(element->sender, element->mid, element->stages,
                                       Message(content.get_as<Message>(0)), std::move(known_as));
  return true;
}

} // namespace

message_info read_message(const caf::type_erased_tuple& content) {
  if (content.empty()) return {};
  const auto* type = content.type(0).second;
  if (!type) return {};
  const auto found = known_types().find(*type);
  if (found == known_types().end()) return {};
  return {found->second.kind, found->second.name, found->second.step(content.get(0))};
}

bool may_be_lost(message_kind kind) {
  return (kind >= message_kind::forward_step && kind <= message_kind::append_token) || kind == message_kind::token_event ||
         kind == message_kind::generate_end;
}
bool may_come_twice(message_kind kind) { return kind >= message_kind::forward_step; }
bool corrupt(caf::mailbox_element_ptr& element, corruption how, uint64_t draw) {
  return corrupt_as<v1::AttendResult>(element, how, draw) || corrupt_as<v1::ProjectResult>(element, how, draw) ||
         corrupt_as<v1::HiddenStates>(element, how, draw) || corrupt_as<v1::AttendStep>(element, how, draw) ||
         corrupt_as<v1::ProjectStep>(element, how, draw);
}

void translate_handles(caf::mailbox_element_ptr& element, const translation& translate) {
  if (element->sender)
    if (auto known_as = translate(element->sender)) element->sender = std::move(known_as);
  if (element->content().size() != 2) return;
  translate_in<v1::GenerateRequest>(element, translate) || translate_in<v1::GenerateAccepted>(element, translate);
}

} // namespace troupe::testing
