#include "actors/faults/message_facts.hpp"

#include "messages/caf_message.hpp"
#include "messages/message_types.hpp"
#include "model/error.hpp"

#include <bit>
#include <cmath>
#include <limits>
#include <typeindex>
#include <unordered_map>

namespace troupe {
namespace {

using content_view = caf::type_erased_tuple;

template <class T> bool holds(const content_view& content) {
  return content.size() == 1 && content.match_element<T>(0);
}

/// Calls use(const T&) when the content is one of these, the first that fits. False: it is none of them.
template <class... Ts, class Use> bool with(const content_view& content, Use use) {
  const auto try_one = [&]<class T>(const T*) {
    if (!holds<T>(content)) return false;
    use(content.get_as<T>(0));
    return true;
  };
  return (try_one(static_cast<const Ts*>(nullptr)) || ...);
}

/// Puts a copy in the element's place, after change(T& copy).
template <class... Ts, class Change> bool change_copy(caf::mailbox_element_ptr& element, Change change) {
  caf::mailbox_element_ptr changed;
  const bool any = with<Ts...>(element->content(), [&](const auto& original) {
    auto copy = original;
    change(copy);
    changed = caf::make_mailbox_element(element->sender, element->mid, element->stages, std::move(copy));
  });
  if (any) element = std::move(changed);
  return any;
}

#define TROUPE_WITH_VALUES                                                                                             \
  v1::HiddenStates, v1::AttendStep, v1::AttendResult, v1::ProjectStep, v1::ProjectResult, v1::LogitsResult, v1::HiddenRows,  \
    v1::LogitsRows, v1::ForwardStates, v1::BackwardStates, v1::HeadPass, v1::HeadPassResult, v1::ShardPass, v1::ShardPassResult, \
    v1::SumLogits, v1::LogitSums, v1::GradientSquares
#define TROUPE_WITH_PLAN v1::ForwardStep, v1::HiddenStates, v1::AttendStep, v1::LogitsResult
#define TROUPE_WITH_STEP_ID                                                                                            \
  v1::AttendResult, v1::ProjectStep, v1::ProjectResult, v1::StepFault, v1::ReportProgress, v1::StepProgress
#define TROUPE_OF_TRAINING                                                                                             \
  v1::ForwardBatch, v1::ForwardStates, v1::BackwardStates, v1::HeadPass, v1::HeadPassResult, v1::ShardPass,                  \
    v1::ShardPassResult, v1::SumLogits, v1::LogitSums, v1::BatchLoss, v1::BatchDone, v1::CollectGradients, v1::CopyGradient, \
    v1::CopyValues, v1::GradientSquares, v1::UpdateWeights, v1::OwnerUpdated, v1::OwnerReady

/// The numbers that are corrupted.
template <class Message> const auto& values_in(const Message& message) {
  if constexpr (requires { message.values(); }) return message.values();
  else if constexpr (requires { message.exponentials(); }) return message.exponentials();
  else return message.sums();
}
template <class Message> auto& mutable_values_in(Message& message) {
  if constexpr (requires { message.mutable_values(); }) return *message.mutable_values();
  else if constexpr (requires { message.mutable_exponentials(); }) return *message.mutable_exponentials();
  else return *message.mutable_sums();
}

float corrupted(float value, const v1::Effect& effect, fault_rng& rng) {
  if (effect.has_not_a_number()) return std::numeric_limits<float>::quiet_NaN();
  if (effect.has_infinite()) return std::numeric_limits<float>::infinity();
  const uint32_t bit = effect.flip_bit().has_bit() ? effect.flip_bit().bit() : uint32_t(rng.below(32));
  return std::bit_cast<float>(std::bit_cast<uint32_t>(value) ^ (1u << bit));
}

} // namespace

std::string_view type_of(const content_view& content) {
  if (content.size() == 0) return {};
#define TROUPE_NAME(name) {std::type_index(typeid(v1::name)), #name},
  static const std::unordered_map<std::type_index, std::string_view> names{TROUPE_MESSAGE_TYPES(TROUPE_NAME)};
#undef TROUPE_NAME
  const auto* type = content.type(0).second;
  const auto it = type ? names.find(std::type_index(*type)) : names.end();
  return it == names.end() ? std::string_view() : it->second;
}

caf::mailbox_element_ptr copy_of(const caf::mailbox_element& element) {
  return caf::make_mailbox_element(element.sender, element.mid, element.stages, element.copy_content_to_message());
}

std::vector<request_rows> request_rows_of(const v1::StepPlan& plan, const request_of& lookup) {
  std::vector<request_rows> rows;
  for (int i = 0; i < plan.sequence_ids_size() && i < plan.positions_size() && i < plan.rows_size(); ++i)
    rows.push_back({lookup(plan.sequence_ids(i)), plan.positions(i), plan.rows(i)});
  return rows;
}

std::vector<request_rows> request_rows_of(const content_view& content, const std::vector<request_rows>& current,
                                          const request_of& lookup) {
  std::vector<request_rows> rows;
  with<TROUPE_WITH_PLAN>(content, [&](const auto& message) { rows = request_rows_of(message.plan(), lookup); }) ||
    with<TROUPE_WITH_STEP_ID>(content, [&](const auto&) { rows = current; }) ||
    with<v1::AppendToken>(content,
                          [&](const auto& next) { rows = {{lookup(next.sequence_id()), next.position(), 1}}; }) ||
    with<v1::JoinBatch>(content, [&](const auto& join) {
      rows = {{lookup(join.sequence_id()), 0, uint32_t(join.tokens_size())}};
    });
  return rows;
}

bool has_values(const content_view& content) {
  bool any = false;
  with<TROUPE_WITH_VALUES>(content, [&](const auto& message) { any = !values_in(message).empty(); });
  return any;
}

bool is_possible(const v1::Effect& effect, const content_view& content) {
  switch (effect.kind_case()) {
  case v1::Effect::kNotANumber:
  case v1::Effect::kInfinite:
  case v1::Effect::kFlipBit: return has_values(content);
  case v1::Effect::kWrongShape: return has_values(content) || holds<v1::ForwardStep>(content);
  default: return true;
  }
}

void corrupt(caf::mailbox_element_ptr& element, const v1::Effect& effect, fault_rng& rng) {
  if (effect.has_wrong_shape()) {
    change_copy<TROUPE_WITH_VALUES>(element, [](auto& m) { mutable_values_in(m).RemoveLast(); }) ||
      change_copy<v1::ForwardStep>(element, [](auto& m) { m.clear_tokens(); });
    return;
  }
  change_copy<TROUPE_WITH_VALUES>(element, [&](auto& message) {
    auto& values = mutable_values_in(message);
    const int which = int(rng.below(uint64_t(values.size())));
    values.Set(which, corrupted(float(values[which]), effect, rng));
  });
}

bool make_it_throw(caf::mailbox_element_ptr& element, std::string_view to) {
  // A receiver that only observes hidden states accepts whatever layer they claim to be of.
  if (holds<v1::HiddenStates>(element->content()) && !to.starts_with("/replica/")) return false;
  return change_copy<v1::HiddenStates>(element, [](auto& m) { m.set_layer(std::numeric_limits<uint32_t>::max()); }) ||
         change_copy<v1::ForwardStep>(element, [](auto& m) { m.clear_tokens(); }) ||
         change_copy<v1::AttendStep>(element, [](auto& m) { m.clear_values(); }) ||
         change_copy<v1::ProjectStep>(element, [](auto& m) { m.set_rows(0); }) ||
         change_copy<v1::JoinBatch>(element, [](auto& m) { m.clear_tokens(); }) ||
         change_copy<v1::ForwardBatch, v1::SumLogits>(element, [](auto& m) { m.add_targets(0); }) ||
         change_copy<v1::ForwardStates>(element, [](auto& m) { m.set_layer(std::numeric_limits<uint32_t>::max()); }) ||
         change_copy<v1::BackwardStates>(element, [](auto& m) { m.add_values(0); }) ||
         change_copy<v1::HeadPass>(element, [](auto& m) { m.set_width(0); }) ||
         change_copy<v1::ShardPass>(element, [](auto& m) { m.set_rows(m.rows() + 1); });
}

caf::message useless_copy(const caf::mailbox_element& element) {
  caf::message junk = element.copy_content_to_message();
  const auto make_stale = [&](auto copy) {
    if constexpr (requires { copy.clear_values(); }) copy.clear_values();
    if constexpr (requires { copy.mutable_plan(); }) copy.mutable_plan()->clear_epoch();
    else copy.clear_epoch();
    junk = caf::make_message(std::move(copy));
  };
  with<TROUPE_WITH_PLAN>(element.content(), make_stale) || with<TROUPE_WITH_STEP_ID>(element.content(), make_stale) ||
    with<TROUPE_OF_TRAINING>(element.content(), make_stale);
  return junk;
}

} // namespace troupe
