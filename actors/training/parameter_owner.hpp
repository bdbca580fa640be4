#pragma once
// What every owner of parameters does, besides the maths of its role: takes part in steps, gets and reports its state, exchanges
// copies, updates.
#include "actors/interfaces/step.hpp"
#include "actors/interfaces/supervision.hpp"
#include "actors/interfaces/training_roles.hpp"
#include "model/training/parameters.hpp"
#include <functional>
#include <tuple>
#include <utility>
#include <map>
#include <string>
#include <vector>

namespace troupe {

struct owner_config {
  std::string path;
  directory_actor directory;
  std::vector<std::string> peers;       // Whom it sends to within a step, besides those below.
  std::vector<std::string> holders;     // Who has copies of `copied`.
  std::vector<std::string> copies_from; // Whose parameters `copies` are copies of.
  uint32_t holder_index = 0;            // Which of the holders of those this one is.
  uint32_t owner_index = 0;             // Which of the owners its holders have copies from.
};

/// Part of the state of an actor that owns parameters, which passes on to it all messages of parameter_owner_actor.
///
/// A step begins with BeginStep. The owner makes itself ready: it has the state that the step asks for (or fetches it from the
/// client), has sent its values to the holders of copies, has the values of its own copies, and knows its peers by the ids that the
/// step names, so that no message of the step goes to an actor that was replaced. Only then it answers, and only then
/// `is_current` is true of the step's messages.
///
/// Retry     a repeated message of a step is recognised and ignored, or answered again.
/// Restart   the new owner knows nothing, and fetches its state when the next step begins.
class parameter_owner {
public:
  struct callbacks {
    std::function<void()> begin = {};          // A step begins: forget everything of an earlier one.
    std::function<void()> values_changed = {};
  };

  void start(caf::scheduled_actor* self, owner_config config, std::vector<parameter*> own, std::vector<parameter*> copied,
             std::vector<parameter*> copies, callbacks calls);

  /// Whether a message of the step (epoch, step) is to be handled now.
  template <class Message> bool is_current(const Message& message) const { return is_ready_ && id_of(message) == now_; }
  step_id now() const { return now_; }
  template <class Handle> Handle peer(const std::string& path) const {
    const auto found = handles_.find(path);
    return found == handles_.end() ? Handle{} : caf::actor_cast<Handle>(found->second);
  }
  actor_name name_of(const std::string& path) const;
  const std::string& path() const { return config_.path; }
  trainer_actor trainer() const { return trainer_; }
  /// Gives the step up: reports the fault to the trainer.
  void report(v1::StepFault fault);

  void on_begin(const v1::BeginStep& begin, const caf::strong_actor_ptr& client);
  void on_state(const v1::ParameterState& state);
  void on_copy_values(const v1::CopyValues& values);
  void on_collect(const v1::CollectGradients& order);
  void on_copy_gradient(const v1::CopyGradient& gradient);
  void on_update(const v1::UpdateWeights& order);
  void on_progress_query(const v1::ReportProgress& query);
  void on_actor_started(const v1::ActorStarted& started, const caf::strong_actor_ptr& handle);

private:
  void settle();
  void send_copies();
  void send_squares();

  caf::scheduled_actor* self_ = nullptr;
  owner_config config_;
  std::vector<parameter*> own_, copied_, copies_;
  callbacks calls_;
  bool has_state_ = false;
  uint64_t update_ = 0; // Of the state, where there is one.
  step_id now_;
  uint64_t wanted_update_ = 0;
  bool is_ready_ = false, has_updated_ = false, has_collected_ = false, has_sent_copies_ = false;
  trainer_actor trainer_;
  training_client_actor client_;
  std::map<std::string, caf::strong_actor_ptr> handles_;
  std::map<std::string, uint64_t> members_;                  // Ids in this step, of those it has to do with.
  std::map<uint32_t, std::vector<v1::TensorSlice>> copied_from_; // By owner: which slices its values were.
  std::vector<v1::CopyValues> early_copies_;                  // Of a step whose BeginStep has not come yet.
  std::map<uint32_t, v1::CopyGradient> copy_gradients_;      // By holder.
};

v1::TensorSlice to_message(const tensor_slice& slice);
tensor_slice to_slice(const v1::TensorSlice& message);
v1::ParameterState make_state(const std::string& path, uint64_t update, const std::vector<parameter*>& parameters);
/// Throws broken_invariant when the state is not that of these parameters.
void load_state(const v1::ParameterState& state, const std::vector<parameter*>& parameters);

/// The handlers of parameter_owner_actor, for an actor whose state has a member `owner`.
template <class Self> auto owner_handlers(Self* self) {
  return std::tuple{
    [self](const v1::BeginStep& begin, const caf::strong_actor_ptr& client) { self->state.owner.on_begin(begin, client); },
    [self](const v1::ParameterState& state) { self->state.owner.on_state(state); },
    [self](const v1::CopyValues& values) { self->state.owner.on_copy_values(values); },
    [self](const v1::CollectGradients& order) { self->state.owner.on_collect(order); },
    [self](const v1::CopyGradient& gradient) { self->state.owner.on_copy_gradient(gradient); },
    [self](const v1::UpdateWeights& order) { self->state.owner.on_update(order); },
    [self](const v1::ReportProgress& query) { self->state.owner.on_progress_query(query); },
    [self](const v1::ActorStarted& started, const caf::strong_actor_ptr& handle) {
      self->state.owner.on_actor_started(started, handle);
    }};
}

/// The behavior of an actor: the handlers of an owner and those of its role.
template <class Behavior, class Self, class... Handlers> Behavior make_owner_behavior(Self* self, Handlers... handlers) {
  return std::apply([&](auto... common) { return Behavior{std::move(common)..., std::move(handlers)...}; },
                    owner_handlers(self));
}

} // namespace troupe
