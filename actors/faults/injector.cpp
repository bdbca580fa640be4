#include "actors/faults/injector.hpp"

#include "actors/faults/injector_core.hpp"
#include "actors/faults/plan.hpp"
#include "actors/supervision/failure.hpp"
#include "model/error.hpp"
#include "troupe/v1/generation.pb.h"

#include <optional>

namespace troupe {
namespace {

struct injector_state {
  static inline const char* name = "fault_injector";
  std::optional<injector_core> core;
};
using injector_pointer = fault_injector_actor::stateful_pointer<injector_state>;

fault_injector_actor::behavior_type injector(injector_pointer self, injector_config config) {
  report_exceptions(self);
  self->state.core.emplace(self, std::move(config));
  self->set_exit_handler([self](const caf::exit_msg& order) {
    self->state.core->end_all();
    self->quit(order.reason);
  });
  return {[self](const start_begun&) { self->state.core->on_start_begun(); },
          [self](start_done& news) { self->state.core->on_start_done(news); },
          [self](const target_ended& news) { self->state.core->on_target_ended(news); },
          [self](intercepted_message& one) { self->state.core->on_message(one); },
          [self](const injector_timer& timer) { self->state.core->on_timer(timer.number); },
          [self](const v1::StopFaults&) { self->state.core->stop_faults(); },
          [self](const v1::GetFaultLog&) { return self->state.core->log(); }};
}

/// Which request of which client a sequence is started for.
void note_request(const caf::message& args, start_done& news) {
  if (!args.match_elements<v1::GenerateRequest, caf::strong_actor_ptr>()) return;
  news.request_id = args.get_as<v1::GenerateRequest>(0).request_id();
  news.client = args.get_as<caf::strong_actor_ptr>(1);
}

} // namespace

fault_injector_actor spawn_fault_injector(caf::actor_system& system, injector_config config) {
  TROUPE_ASSERT(config.plan != nullptr);
  for (int i = 0; i < config.plan->faults_size(); ++i)
    if (config.plan->faults(i).effect().has_clock_jump() && !config.jump_clock)
      throw input_error("faults[" + std::to_string(i) + "].effect.clock_jump: only in simulation: a real clock cannot be moved");
  return system.spawn(injector, std::move(config));
}

child_hook hook_of(const fault_injector_actor& injector) {
  return [injector](child_spec& spec) {
    const bool is_one_of_many = spec.path.ends_with("/*");
    spec.start = [injector, is_one_of_many, start = spec.start](caf::scheduled_actor* parent, const std::string& path,
                                                                const caf::message& args) -> caf::strong_actor_ptr {
      caf::anon_send(injector, start_begun{});
      start_done news;
      try {
        news.target = start(parent, path, args);
      } catch (...) {
        caf::anon_send(injector, start_done{});
        throw;
      }
      if (!news.target) {
        caf::anon_send(injector, start_done{});
        return nullptr;
      }
      const auto target = news.target, proxy = make_proxy(target, injector);
      news.proxy = proxy;
      news.path = is_one_of_many ? path + "/" + std::to_string(proxy->id()) : path;
      note_request(args, news);
      caf::anon_send(injector, std::move(news));
      report_end(target, injector);
      return proxy;
    };
  };
}

} // namespace troupe
