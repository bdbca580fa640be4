#include "actors/testing/message_info.hpp"

#include "actors/faults/message_facts.hpp"
#include "messages/caf_message.hpp"
#include "messages/message_types.hpp"

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
template <> constexpr message_kind kind_of<v1::GenerateQueued> = message_kind::generate_accepted;
template <> constexpr message_kind kind_of<v1::GenerateAccepted> = message_kind::generate_accepted;
template <> constexpr message_kind kind_of<v1::TokenEvent> = message_kind::token_event;
template <> constexpr message_kind kind_of<v1::LogitsRows> = message_kind::rows;
template <> constexpr message_kind kind_of<v1::HiddenRows> = message_kind::rows;
template <> constexpr message_kind kind_of<v1::GenerateEnd> = message_kind::generate_end;
template <> constexpr message_kind kind_of<v1::CancelRequest> = message_kind::end_request;
template <> constexpr message_kind kind_of<v1::FailSequence> = message_kind::end_request;
template <> constexpr message_kind kind_of<v1::BeginStep> = message_kind::begin_step;
template <> constexpr message_kind kind_of<v1::OwnerReady> = message_kind::owner_ready;
template <> constexpr message_kind kind_of<v1::ForwardBatch> = message_kind::forward_batch;
template <> constexpr message_kind kind_of<v1::ForwardStates> = message_kind::forward_states;
template <> constexpr message_kind kind_of<v1::BackwardStates> = message_kind::backward_states;
template <> constexpr message_kind kind_of<v1::HeadPass> = message_kind::head_pass;
template <> constexpr message_kind kind_of<v1::HeadPassResult> = message_kind::head_pass_result;
template <> constexpr message_kind kind_of<v1::ShardPass> = message_kind::shard_pass;
template <> constexpr message_kind kind_of<v1::ShardPassResult> = message_kind::shard_pass_result;
template <> constexpr message_kind kind_of<v1::SumLogits> = message_kind::sum_logits;
template <> constexpr message_kind kind_of<v1::LogitSums> = message_kind::logit_sums;
template <> constexpr message_kind kind_of<v1::BatchLoss> = message_kind::batch_loss;
template <> constexpr message_kind kind_of<v1::BatchDone> = message_kind::batch_done;
template <> constexpr message_kind kind_of<v1::CollectGradients> = message_kind::collect_gradients;
template <> constexpr message_kind kind_of<v1::CopyGradient> = message_kind::copy_gradient;
template <> constexpr message_kind kind_of<v1::CopyValues> = message_kind::copy_values;
template <> constexpr message_kind kind_of<v1::GradientSquares> = message_kind::gradient_squares;
template <> constexpr message_kind kind_of<v1::UpdateWeights> = message_kind::update_weights;
template <> constexpr message_kind kind_of<v1::OwnerUpdated> = message_kind::owner_updated;
template <> constexpr message_kind kind_of<v1::FetchState> = message_kind::fetch_state;
template <> constexpr message_kind kind_of<v1::ParameterState> = message_kind::parameter_state;
template <> constexpr message_kind kind_of<v1::FetchBatch> = message_kind::fetch_batch;
template <> constexpr message_kind kind_of<v1::TrainingBatch> = message_kind::training_batch;
template <> constexpr message_kind kind_of<v1::RunStep> = message_kind::run_step;
template <> constexpr message_kind kind_of<v1::StepReport> = message_kind::step_report;

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
         kind == message_kind::generate_end || is_of_training(kind);
}
bool may_come_twice(message_kind kind) { return kind >= message_kind::forward_step; }
bool asks_for_values(message_kind kind) {
  return kind == message_kind::attend_step || kind == message_kind::project_step || kind == message_kind::head_pass ||
         kind == message_kind::shard_pass || kind == message_kind::sum_logits;
}
bool brings_client(message_kind kind) { return kind == message_kind::generate_request || kind == message_kind::run_step; }

bool corrupt(caf::mailbox_element_ptr& element, corruption how, uint64_t draw) {
  const auto kind = read_message(element->content()).kind;
  if (kind == message_kind::logits_result || kind == message_kind::rows || !has_values(element->content())) return false;
  v1::Effect effect;
  switch (how) {
  case corruption::nan: effect.mutable_not_a_number(); break;
  case corruption::infinity: effect.mutable_infinite(); break;
  case corruption::shape: effect.mutable_wrong_shape(); break;
  }
  fault_rng rng(draw);
  troupe::corrupt(element, effect, rng);
  return true;
}

void translate_handles(caf::mailbox_element_ptr& element, const translation& translate) {
  if (element->sender)
    if (auto known_as = translate(element->sender)) element->sender = std::move(known_as);
  if (element->content().size() != 2) return;
  translate_in<v1::GenerateRequest>(element, translate) || translate_in<v1::GenerateAccepted>(element, translate) ||
    translate_in<v1::RunStep>(element, translate) || translate_in<v1::BeginStep>(element, translate);
}

} // namespace troupe::testing
