#include "actors/training/parameter_owner.hpp"

#include "actors/supervision/directory.hpp"
#include "model/error.hpp"
#include "model/kernels/rowwise.hpp"

#include <algorithm>
#include <utility>

namespace troupe {
namespace {

template <class Handle, class... Ts> void post(caf::scheduled_actor* self, const Handle& to, Ts... content) {
  send_packed(self, to, packed<Ts...>{std::move(content)...});
}

template <class Field> void fill(Field& field, std::span<const float> values) {
  std::ranges::copy(values, allocate(field, values.size()));
}

std::span<const float> span_of(const float_field& field) { return {field.data(), size_t(field.size())}; }

void copy_to(std::vector<float>& to, const float_field& from) {
  TROUPE_ASSERT(size_t(from.size()) == to.size());
  std::ranges::copy(span_of(from), to.begin());
}

/// The rows of `whole` that `slice` names, of one of its arrays.
std::span<float> rows_in(parameter& whole, std::vector<float>& values, const tensor_slice& slice) {
  TROUPE_ASSERT(slice.key == whole.slice.key);
  TROUPE_ASSERT(slice.columns == whole.slice.columns);
  TROUPE_ASSERT(slice.rows.first >= whole.slice.rows.first);
  const uint64_t first = uint64_t(slice.rows.first - whole.slice.rows.first) * slice.columns;
  TROUPE_ASSERT(first + slice.size() <= values.size());
  return std::span(values).subspan(first, slice.size());
}

parameter& find(const std::vector<parameter*>& all, const tensor_key& key) {
  const auto found = std::ranges::find_if(all, [&](const parameter* one) { return one->slice.key == key; });
  TROUPE_ASSERT(found != all.end());
  return **found;
}

adam_step to_adam_step(const v1::UpdateWeights& order) {
  adam_step step;
  step.beta1 = order.beta1();
  step.beta2 = order.beta2();
  step.epsilon = order.epsilon();
  step.kept = order.kept();
  step.one_minus_beta1 = order.one_minus_beta1();
  step.one_minus_beta2 = order.one_minus_beta2();
  step.rate_by_correction1 = order.rate_by_correction1();
  step.root_correction2 = order.root_correction2();
  step.gradient_scale = order.gradient_scale();
  return step;
}

} // namespace

v1::TensorSlice to_message(const tensor_slice& slice) {
  v1::TensorSlice message;
  message.set_layer(slice.key.layer);
  message.set_role(uint32_t(slice.key.role));
  message.set_is_bias(slice.key.is_bias);
  message.set_first_row(slice.rows.first);
  message.set_rows(slice.rows.count);
  message.set_columns(slice.columns);
  message.set_of_encoder(slice.key.of_encoder);
  return message;
}

tensor_slice to_slice(const v1::TensorSlice& message) {
  return {{message.layer(), tensor_role(message.role()), message.is_bias(), message.of_encoder()},
          {message.first_row(), message.rows()},
          message.columns()};
}

v1::ParameterState make_state(const std::string& path, uint64_t update, const std::vector<parameter*>& parameters) {
  v1::ParameterState state;
  state.set_path(path);
  state.set_update(update);
  for (const parameter* one : parameters) {
    auto& slice = *state.add_slices();
    *slice.mutable_slice() = to_message(one->slice);
    fill(*slice.mutable_values(), one->value);
    fill(*slice.mutable_first_moments(), one->first_moment);
    fill(*slice.mutable_second_moments(), one->second_moment);
    fill(*slice.mutable_smoothed(), one->smoothed);
  }
  return state;
}

void load_state(const v1::ParameterState& state, const std::vector<parameter*>& parameters) {
  TROUPE_ASSERT(size_t(state.slices_size()) == parameters.size());
  for (int i = 0; i < state.slices_size(); ++i) {
    parameter& one = *parameters[size_t(i)];
    const v1::SliceState& slice = state.slices(i);
    TROUPE_ASSERT(to_slice(slice.slice()) == one.slice);
    copy_to(one.value, slice.values());
    copy_to(one.first_moment, slice.first_moments());
    copy_to(one.second_moment, slice.second_moments());
    one.smoothed.assign(slice.smoothed().begin(), slice.smoothed().end());
  }
}

void parameter_owner::start(caf::scheduled_actor* self, owner_config config, std::vector<parameter*> own,
                            std::vector<parameter*> copied, std::vector<parameter*> copies, callbacks calls) {
  self_ = self;
  config_ = std::move(config);
  own_ = std::move(own);
  copied_ = std::move(copied);
  copies_ = std::move(copies);
  calls_ = std::move(calls);
  std::vector<std::string> everyone = config_.peers;
  everyone.insert(everyone.end(), config_.holders.begin(), config_.holders.end());
  everyone.insert(everyone.end(), config_.copies_from.begin(), config_.copies_from.end());
  std::ranges::sort(everyone);
  everyone.erase(std::unique(everyone.begin(), everyone.end()), everyone.end());
  for (const auto& path : everyone) members_[path] = 0;
  v1::Subscribe request;
  for (const auto& path : everyone) request.add_paths(path);
  post(self, config_.directory, std::move(request), caf::strong_actor_ptr(self->ctrl()));
}

actor_name parameter_owner::name_of(const std::string& path) const {
  const auto found = handles_.find(path);
  return {path, found == handles_.end() || !found->second ? 0 : found->second->id()};
}

void parameter_owner::report(v1::StepFault fault) {
  is_ready_ = false;
  post(self_, trainer_, std::move(fault));
}

void parameter_owner::on_begin(const v1::BeginStep& begin, const caf::strong_actor_ptr& client) {
  if (id_of(begin) <= now_) return;
  now_ = id_of(begin);
  is_ready_ = has_updated_ = has_collected_ = has_sent_copies_ = false;
  trainer_ = caf::actor_cast<trainer_actor>(self_->current_sender());
  client_ = caf::actor_cast<training_client_actor>(client);
  wanted_update_ = begin.update();
  for (auto& [path, id] : members_) id = 0;
  for (const auto& member : begin.members())
    if (const auto found = members_.find(member.path()); found != members_.end()) found->second = member.actor_id();
  copied_from_.clear();
  copy_gradients_.clear();
  for (auto* all : {&own_, &copies_})
    for (parameter* one : *all) zero_gradients(*one);
  calls_.begin();
  has_state_ = has_state_ && update_ == wanted_update_; // First: copies that came early may make it ready.
  for (const auto& message : std::exchange(early_copies_, {})) on_copy_values(message);
  if (has_state_) return settle();
  v1::FetchState question;
  question.set_path(config_.path);
  question.set_update(wanted_update_);
  post(self_, client_, std::move(question));
}

void parameter_owner::on_state(const v1::ParameterState& state) {
  if (has_state_ || state.path() != config_.path || state.update() != wanted_update_) return;
  load_state(state, own_);
  update_ = wanted_update_;
  has_state_ = true;
  calls_.values_changed();
  settle();
}

/// Answers that it is ready, once it is.
void parameter_owner::settle() {
  if (is_ready_ || has_updated_ || !has_state_ || !trainer_) return;
  for (const auto& [path, id] : members_) {
    const auto found = handles_.find(path);
    if (found == handles_.end() || !found->second || found->second->id() != id) return;
  }
  if (!std::exchange(has_sent_copies_, true)) send_copies();
  if (copied_from_.size() < config_.copies_from.size()) return;
  is_ready_ = true;
  v1::OwnerReady answer;
  answer.set_epoch(now_.epoch);
  answer.set_step(now_.step);
  answer.set_path(config_.path);
  post(self_, trainer_, std::move(answer));
}

void parameter_owner::send_copies() {
  if (config_.holders.empty()) return;
  v1::CopyValues message;
  message.set_epoch(now_.epoch);
  message.set_step(now_.step);
  message.set_owner(config_.owner_index);
  for (const parameter* one : copied_) {
    auto& values = *message.add_values();
    *values.mutable_slice() = to_message(one->slice);
    fill(*values.mutable_values(), one->value);
  }
  const packed<v1::CopyValues> shared{std::move(message)};
  using holder_actor = caf::typed_actor<caf::reacts_to<v1::CopyValues>>;
  for (const auto& path : config_.holders) send_packed(self_, peer<holder_actor>(path), shared);
}

void parameter_owner::on_copy_values(const v1::CopyValues& message) {
  // They may come before BeginStep does: from an owner that was told earlier. Then they are kept.
  if (id_of(message) > now_) {
    early_copies_.push_back(message);
    return;
  }
  if (id_of(message) != now_ || copied_from_.contains(message.owner())) return;
  auto& slices = copied_from_[message.owner()];
  for (const auto& one : message.values()) {
    const tensor_slice slice = to_slice(one.slice());
    parameter& copy = find(copies_, slice.key);
    const auto to = rows_in(copy, copy.value, slice);
    TROUPE_ASSERT(size_t(one.values_size()) == to.size());
    std::ranges::copy(span_of(one.values()), to.begin());
    slices.push_back(one.slice());
  }
  settle();
}

void parameter_owner::on_collect(const v1::CollectGradients& order) {
  if (!is_current(order) || std::exchange(has_collected_, true)) return;
  using owner_actor = caf::typed_actor<caf::reacts_to<v1::CopyGradient>>;
  for (uint32_t i = 0; i < config_.copies_from.size(); ++i) {
    v1::CopyGradient message;
    message.set_epoch(now_.epoch);
    message.set_step(now_.step);
    message.set_holder(config_.holder_index);
    for (const auto& piece : copied_from_[i]) {
      const tensor_slice slice = to_slice(piece);
      parameter& copy = find(copies_, slice.key);
      auto& one = *message.add_gradients();
      *one.mutable_slice() = piece;
      fill(*one.mutable_values(), rows_in(copy, copy.gradient, slice));
    }
    post(self_, peer<owner_actor>(config_.copies_from[i]), std::move(message));
  }
  send_squares();
}

void parameter_owner::on_copy_gradient(const v1::CopyGradient& gradient) {
  // One that comes again must not be added again.
  if (is_current(gradient) && copy_gradients_.emplace(gradient.holder(), gradient).second) send_squares();
}

/// Once all gradients are there: its own and those of all copies, which are added in the order of their holders.
void parameter_owner::send_squares() {
  if (!has_collected_ || copy_gradients_.size() < config_.holders.size()) return;
  for (const auto& [holder, message] : copy_gradients_)
    for (const auto& one : message.gradients()) {
      const tensor_slice slice = to_slice(one.slice());
      parameter& own = find(copied_, slice.key);
      const auto to = rows_in(own, own.gradient, slice);
      TROUPE_ASSERT(size_t(one.values_size()) == to.size());
      add(to, span_of(one.values()));
    }
  std::vector<piece_square> squares;
  for (const parameter* one : own_) append_squares(*one, squares);
  v1::GradientSquares answer;
  answer.set_epoch(now_.epoch);
  answer.set_step(now_.step);
  answer.set_path(config_.path);
  for (const auto& one : squares) {
    *answer.add_pieces() = to_message(one.piece);
    answer.add_sums(one.sum);
  }
  post(self_, trainer_, std::move(answer));
}

void parameter_owner::on_update(const v1::UpdateWeights& order) {
  if (!is_current(order) || std::exchange(has_updated_, true)) return;
  const stopwatch watch;
  const adam_step step = to_adam_step(order);
  for (parameter* one : own_) update(*one, step, order.smoothing_kept());
  update_ = order.update();
  calls_.values_changed();
  is_ready_ = false; // This step is over.
  const uint64_t compute_ns = watch.elapsed_ns();
  if (order.report_state()) post(self_, client_, make_state(config_.path, update_, own_));
  v1::OwnerUpdated answer;
  answer.set_epoch(now_.epoch);
  answer.set_step(now_.step);
  answer.set_update(update_);
  answer.set_path(config_.path);
  answer.set_compute_ns(compute_ns);
  answer.set_state_ns(watch.elapsed_ns() - compute_ns);
  post(self_, trainer_, std::move(answer));
}

void parameter_owner::on_progress_query(const v1::ReportProgress& query) {
  v1::StepProgress answer;
  answer.set_epoch(query.epoch());
  answer.set_step(query.step());
  answer.set_path(config_.path);
  if (const auto to = asker_of<v1::StepProgress>(self_)) post(self_, to, std::move(answer));
}

void parameter_owner::on_actor_started(const v1::ActorStarted& started, const caf::strong_actor_ptr& handle) {
  handles_[started.path()] = handle;
  settle();
}

} // namespace troupe
