#include "actors/testing/letter.hpp"

#include "messages/caf_message.hpp"
#include "messages/message_types.hpp"

#include <limits>
#include <typeindex>
#include <unordered_map>

namespace troupe::testing {
namespace {

template <class T> constexpr letter_kind kind_of = letter_kind::supervision;
template <> constexpr letter_kind kind_of<v1::ForwardStep> = letter_kind::forward_step;
template <> constexpr letter_kind kind_of<v1::HiddenStates> = letter_kind::hidden_states;
template <> constexpr letter_kind kind_of<v1::AttendStep> = letter_kind::attend_step;
template <> constexpr letter_kind kind_of<v1::AttendResult> = letter_kind::attend_result;
template <> constexpr letter_kind kind_of<v1::ProjectStep> = letter_kind::project_step;
template <> constexpr letter_kind kind_of<v1::ProjectResult> = letter_kind::project_result;
template <> constexpr letter_kind kind_of<v1::LogitsResult> = letter_kind::logits_result;
template <> constexpr letter_kind kind_of<v1::StepFault> = letter_kind::step_fault;
template <> constexpr letter_kind kind_of<v1::ReportProgress> = letter_kind::report_progress;
template <> constexpr letter_kind kind_of<v1::StepProgress> = letter_kind::step_progress;
template <> constexpr letter_kind kind_of<v1::AppendToken> = letter_kind::append_token;
template <> constexpr letter_kind kind_of<v1::JoinBatch> = letter_kind::join_batch;
template <> constexpr letter_kind kind_of<v1::LeaveBatch> = letter_kind::leave_batch;
template <> constexpr letter_kind kind_of<v1::GenerateRequest> = letter_kind::generate_request;
template <> constexpr letter_kind kind_of<v1::GenerateAccepted> = letter_kind::generate_accepted;
template <> constexpr letter_kind kind_of<v1::TokenEvent> = letter_kind::token_event;
template <> constexpr letter_kind kind_of<v1::LogitsRows> = letter_kind::rows;
template <> constexpr letter_kind kind_of<v1::HiddenRows> = letter_kind::rows;
template <> constexpr letter_kind kind_of<v1::GenerateEnd> = letter_kind::generate_end;
template <> constexpr letter_kind kind_of<v1::CancelRequest> = letter_kind::end_request;
template <> constexpr letter_kind kind_of<v1::FailSequence> = letter_kind::end_request;

template <class T> step_id step_of(const void* message) {
  const auto& m = *static_cast<const T*>(message);
  if constexpr (requires { m.plan().step(); }) return id_of(m.plan());
  else if constexpr (requires { m.epoch() + m.step(); }) return id_of(m);
  else return {};
}

struct type_entry {
  letter_kind kind;
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
bool spoil_as(caf::mailbox_element_ptr& letter, spoiling how, uint64_t draw) {
  if (!letter->content().match_elements<Message>()) return false;
  auto copy = letter->content().get_as<Message>(0);
  auto& values = *copy.mutable_values();
  if (values.empty()) return false;
  const int place = int(draw % uint64_t(values.size()));
  switch (how) {
  case spoiling::nan: values.Set(place, std::numeric_limits<float>::quiet_NaN()); break;
  case spoiling::infinity: values.Set(place, std::numeric_limits<float>::infinity()); break;
  case spoiling::shape: values.RemoveLast(); break;
  }
  letter = caf::make_mailbox_element(letter->sender, letter->mid, letter->stages, std::move(copy));
  return true;
}

/// Whether the letter is (Message, handle); then the handle is translated.
template <class Message> bool translate_in(caf::mailbox_element_ptr& letter, const translation& translate) {
  const auto& content = letter->content();
  if (!content.match_elements<Message, caf::strong_actor_ptr>()) return false;
  if (auto known_as = translate(content.get_as<caf::strong_actor_ptr>(1)))
    letter = caf::make_mailbox_element(letter->sender, letter->mid, letter->stages,
                                       Message(content.get_as<Message>(0)), std::move(known_as));
  return true;
}

} // namespace

letter_facts read_letter(const caf::type_erased_tuple& content) {
  if (content.empty()) return {};
  const auto* type = content.type(0).second;
  if (!type) return {};
  const auto found = known_types().find(*type);
  if (found == known_types().end()) return {};
  return {found->second.kind, found->second.name, found->second.step(content.get(0))};
}

bool may_be_lost(letter_kind kind) {
  return (kind >= letter_kind::forward_step && kind <= letter_kind::append_token) || kind == letter_kind::token_event ||
         kind == letter_kind::generate_end;
}
bool may_come_twice(letter_kind kind) { return kind >= letter_kind::forward_step; }
bool spoil(caf::mailbox_element_ptr& letter, spoiling how, uint64_t draw) {
  return spoil_as<v1::AttendResult>(letter, how, draw) || spoil_as<v1::ProjectResult>(letter, how, draw) ||
         spoil_as<v1::HiddenStates>(letter, how, draw) || spoil_as<v1::AttendStep>(letter, how, draw) ||
         spoil_as<v1::ProjectStep>(letter, how, draw);
}

void translate_handles(caf::mailbox_element_ptr& letter, const translation& translate) {
  if (letter->sender)
    if (auto known_as = translate(letter->sender)) letter->sender = std::move(known_as);
  if (letter->content().size() != 2) return;
  translate_in<v1::GenerateRequest>(letter, translate) || translate_in<v1::GenerateAccepted>(letter, translate);
}

} // namespace troupe::testing
