#include "actors/requests/sequences.hpp"

#include "actors/interfaces/paths.hpp"
#include "actors/supervision/supervisor_core.hpp"

#include <optional>

namespace troupe {
namespace {

struct sequences_state {
  static inline const char* name = "sequences";
  uint32_t sequences_max = 0;
  std::optional<supervisor_core> core;
};
using sequences_pointer = sequences_actor::stateful_pointer<sequences_state>;

caf::strong_actor_ptr start_sequence(caf::scheduled_actor* self, const sequence_config& config,
                                     const caf::message& args) {
  return caf::actor_cast<caf::strong_actor_ptr>(self->spawn(sequence, config, args.get_as<v1::GenerateRequest>(0),
                                                            args.get_as<caf::strong_actor_ptr>(1)));
}

void refuse(sequences_pointer self, uint64_t request_id, const caf::strong_actor_ptr& client,
            const std::string& reason) {
  v1::GenerateEnd end;
  end.set_request_id(request_id);
  end.set_finish_reason(v1::FINISH_REASON_ERROR);
  end.set_error(reason);
  using receiver = caf::typed_actor<caf::reacts_to<v1::GenerateEnd>>;
  if (const auto to = caf::actor_cast<receiver>(client)) self->send(to, std::move(end));
}

sequences_actor::behavior_type sequences(sequences_pointer self, std::string path, sequences_config config) {
  self->state.sequences_max = config.sequences_max;
  child_spec each{path + "/*",
                  [config](caf::scheduled_actor* parent, const std::string&, const caf::message& args) {
                    return start_sequence(parent, config.each, args);
                  },
                  restart_kind::temporary};
  if (config.hook) config.hook(each);
  each.path = path; // The prefix: each sequence is published as path/actor id.
  auto& core = self->state.core.emplace(
    self, path, supervisor_policy{.strategy = restart_strategy::simple_one_for_one}, std::vector{std::move(each)},
    config.each.directory);
  core.take_over();
  core.start_all();
  return {[self](const v1::AbandonActor& order) { self->state.core->on_abandon(order); },
          [self](const v1::SupervisorTick& tick) { self->state.core->on_tick(tick); },
          [self](const v1::CheckLiveness& check) { self->state.core->on_liveness_check(check); },
          [self](const v1::LivenessReply& reply) { self->state.core->on_liveness_reply(reply); },
          [self](const v1::GenerateRequest& request, const caf::strong_actor_ptr& client) {
            auto& st = self->state;
            // No answer: the client is told of the end of this supervisor and of its successor, and asks that one. A refusal
            // would be final.
            if (st.core->stopping()) return;
            // A request that is sent again may arrive before the end of its earlier sequence is known here: it was admitted.
            const bool has_room = request.was_admitted() || st.core->alive() < st.sequences_max;
            if (!has_room)
              return refuse(self, request.request_id(), client,
                            "too many requests: " + std::to_string(st.sequences_max) +
                              " are under way; try again when some have finished");
            const auto started = st.core->start_child(caf::make_message(request, client));
            if (started) send_accepted(self, request.request_id(), started, client);
            else refuse(self, request.request_id(), client, "this request could not be started");
          }};
}

} // namespace

child_spec sequences_child(sequences_config config) {
  return hooked({.path = paths::sequences,
                 .start =
                   [config](caf::scheduled_actor* parent, const std::string& path, const caf::message&) {
                     return caf::actor_cast<caf::strong_actor_ptr>(parent->spawn(sequences, path, config));
                   },
                 .answers_liveness_checks = true},
                config.hook);
}

} // namespace troupe
