#include "actors/tree/root.hpp"

#include "actors/faults/injector.hpp"
#include "actors/interfaces/paths.hpp"
#include "actors/supervision/directory.hpp"
#include "actors/supervision/scrubber.hpp"
#include "actors/supervision/supervisor_core.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

namespace troupe {
namespace {

struct root_state {
  static inline const char* name = "root";
  root_state() = default; // No aggregate: CAF would initialise one with the actor's pointer, which a directory_actor accepts.
  directory_actor directory; // Null from its end until the next one is started,
  std::vector<caf::strong_actor_ptr> waiting; // and the actors that asked for it meanwhile.
  child_hook hook;
  std::optional<supervisor_core> core;
};
using root_pointer = root_actor::stateful_pointer<root_state>;

void tell_directory(root_pointer self, const caf::strong_actor_ptr& asker) {
  v1::ActorStarted answer;
  answer.set_path(paths::directory);
  if (const auto to = caf::actor_cast<subscriber_actor>(asker))
    self->send(to, std::move(answer), caf::actor_cast<caf::strong_actor_ptr>(self->state.directory));
}

child_spec scrubber_child(const troupe_config& config, std::vector<std::string> owners, const directory_actor& directory,
                          const child_hook& hook) {
  const scrubber_config scrubbing{std::move(owners), directory, config.scrub_bytes_per_second};
  child_spec spec{paths::scrubber, [scrubbing](caf::scheduled_actor* parent, const std::string&, const caf::message&) {
                    return caf::actor_cast<caf::strong_actor_ptr>(parent->spawn(scrubber, scrubbing));
                  }};
  return hooked(std::move(spec), hook);
}

std::vector<child_spec> serving_children(const troupe_config& config, const directory_actor& directory, const child_hook& hook) {
  scheduler_config scheduling;
  scheduling.limits = config.limits;
  scheduling.limits.whole_sequences = config.model->spec.needs_whole_sequences();
  // Two operations for each parameter, at 0.2 of them in a nanosecond.
  scheduling.row_longest = caf::timespan(int64_t(config.model->file->parameters) * 10);
  scheduling.directory = directory;
  std::vector<child_spec> replicas;
  std::vector<std::string> weight_owners;
  for (uint32_t i = 0; i < config.replicas; ++i) {
    const uint32_t remote_segments = config.cluster ? config.cluster->cluster.placing.segments : 0;
    const replica_config replica{i, config.model, config.limits.cache_positions_max, config.verify_caches, hook, remote_segments};
    scheduling.replicas.push_back({stage_paths(replica), entry_paths(replica)});
    replicas.push_back(replica_child(replica, directory));
    const auto own = weight_owner_paths(replica);
    weight_owners.insert(weight_owners.end(), own.begin(), own.end());
  }
  sequences_config generation;
  const model_spec& spec = config.model->spec;
  generation.each = {.words = config.words,
                     .end_of_generation = config.model->file->words.end_of_generation,
                     .vocabulary = spec.vocabulary,
                     .output_columns = spec.output.columns,
                     .output_of_first_row = spec.output.of_first_row,
                     .encoder_layers = spec.encoder ? uint32_t(spec.encoder->layers.size()) : 0,
                     .positions_max = config.model->positions_max,
                     .directory = directory};
  generation.sequences_max = config.sequences_max;
  generation.waiting_bytes_max = config.waiting_bytes_max;
  generation.hook = hook;
  child_spec scheduler_child{.path = paths::scheduler,
                             .start =
                               [scheduling](caf::scheduled_actor* parent, const std::string&, const caf::message&) {
                                 return caf::actor_cast<caf::strong_actor_ptr>(parent->spawn(scheduler, scheduling));
                               },
                             .answers_liveness_checks = true};
  std::vector<child_spec> children{hooked(std::move(scheduler_child), hook), sequences_child(std::move(generation))};
  std::ranges::move(replicas, std::back_inserter(children));
  if (config.cluster) add_cluster(children, *config.cluster, directory, hook);
  if (config.scrub_bytes_per_second > 0) children.push_back(scrubber_child(config, std::move(weight_owners), directory, hook));
  return children;
}

child_spec runtime_child(std::vector<child_spec> children, const directory_actor& directory) {
  return supervisor_child(paths::runtime, {.strategy = restart_strategy::one_for_one, .restarts_max = 20}, std::move(children), directory);
}

/// The start functions of both children run inside the root, one after the other: the second uses the directory that the first
/// has started. Both take the hook as it is by then. The handles that the root gives to others come from the hooked start functions
/// (they may be those of proxies).
std::vector<child_spec> root_children(root_pointer self, const runtime_children& children, const log_function& log) {
  child_spec directory_child{.path = paths::directory, .start = {}, .answers_liveness_checks = true};
  directory_child.start = [self, log](caf::scheduled_actor* parent, const std::string& path, const caf::message& args) {
    const auto spawn = [log](caf::scheduled_actor* in, const std::string&, const caf::message&) {
      return caf::actor_cast<caf::strong_actor_ptr>(in->spawn(directory, log));
    };
    auto handle = hooked({.path = path, .start = spawn}, self->state.hook).start(parent, path, args);
    self->state.directory = caf::actor_cast<directory_actor>(handle);
    for (const auto& asker : std::exchange(self->state.waiting, {})) tell_directory(self, asker);
    return handle;
  };
  auto runtime = runtime_child(children({}, {}), {});
  runtime.start = [self, children](caf::scheduled_actor* parent, const std::string& path, const caf::message& args) {
    const auto& st = self->state;
    const auto handle = hooked(runtime_child(children(st.directory, st.hook), st.directory), st.hook).start(parent, path, args);
    v1::ActorStarted news; // The core was given no directory, so it does not publish this child.
    news.set_path(path);
    self->send(st.directory, std::move(news), handle);
    return handle;
  };
  return {std::move(directory_child), std::move(runtime)};
}

root_actor::behavior_type root(root_pointer self, child_hook hook, runtime_children children, const log_function& log) {
  self->state.hook = std::move(hook);
  auto& core = self->state.core.emplace(
    self, paths::root, supervisor_policy{.strategy = restart_strategy::rest_for_one, .restarts_max = 20},
    root_children(self, children, log), directory_actor{});
  core.take_over();
  self->set_down_handler([self](const caf::down_msg& down) {
    auto& st = self->state;
    if (st.directory && st.directory->address() == down.source) st.directory = nullptr;
    st.core->on_down(down);
  });
  core.start_all();
  return {[self](const v1::AbandonActor& order) { self->state.core->on_abandon(order); },
          [self](const v1::SupervisorTick& tick) { self->state.core->on_tick(tick); },
          [self](const v1::CheckLiveness& check) { self->state.core->on_liveness_check(check); },
          [self](const v1::LivenessReply& reply) { self->state.core->on_liveness_reply(reply); },
          [self](const v1::FindDirectory&) {
            // While there is no directory the answer waits: one with a handle of the ended directory would be asked for again.
            auto asker = caf::actor_cast<caf::strong_actor_ptr>(self->current_sender());
            if (self->state.directory) tell_directory(self, asker);
            else self->state.waiting.push_back(std::move(asker));
          },
          [self](const v1::UseFaultInjector&, const caf::strong_actor_ptr& injector) {
            auto& st = self->state;
            st.hook = injector ? hook_of(caf::actor_cast<fault_injector_actor>(injector)) : child_hook{};
            if (st.directory) send_kill(caf::actor_cast<caf::strong_actor_ptr>(st.directory));
          }};
}

} // namespace

root_actor spawn_root(caf::actor_system& system, child_hook hook, runtime_children children, log_function log) {
  return system.spawn(root, std::move(hook), std::move(children), std::move(log));
}

root_actor spawn_root(caf::actor_system& system, troupe_config config) {
  auto hook = config.hook;
  auto log = config.log;
  auto children = [config = std::move(config)](const directory_actor& directory, const child_hook& of_all) {
    return serving_children(config, directory, of_all);
  };
  return spawn_root(system, std::move(hook), std::move(children), std::move(log));
}

} // namespace troupe
