#include "actors/faults/proxy.hpp"

#include "messages/caf_message.hpp"

#include <utility>

namespace troupe {
namespace {

class proxy_actor : public caf::monitorable_actor {
public:
  proxy_actor(caf::actor_config& config, caf::actor_id target, caf::strong_actor_ptr injector)
    : monitorable_actor(config), target_(target), injector_(std::move(injector)) {}

  using caf::monitorable_actor::enqueue;
  void enqueue(caf::mailbox_element_ptr element, caf::execution_unit* host) override {
    // What is urgent stays urgent: a kill overtakes work.
    const auto id =
      caf::make_message_id(element->is_high_priority() ? caf::message_priority::high : caf::message_priority::normal);
    intercepted_message content{target_, std::make_shared<caf::mailbox_element_ptr>(std::move(element))};
    injector_->enqueue(caf::make_mailbox_element(nullptr, id, {}, std::move(content)), host);
  }

private:
  caf::actor_id target_;
  caf::strong_actor_ptr injector_;
};

} // namespace

caf::strong_actor_ptr make_proxy(const caf::strong_actor_ptr& target, const fault_injector_actor& injector) {
  auto& system = *target->home_system;
  caf::actor_config config;
  const auto made = caf::make_actor<proxy_actor, caf::actor>(system.next_actor_id(), system.node(), &system, config,
                                                             target->id(), caf::actor_cast<caf::strong_actor_ptr>(injector));
  return caf::actor_cast<caf::strong_actor_ptr>(made);
}

void report_end(const caf::strong_actor_ptr& target, const fault_injector_actor& injector) {
  caf::actor_cast<caf::abstract_actor*>(target)->attach_functor(
    [id = target->id(), injector](const caf::error& why) { caf::anon_send(injector, target_ended{id, why}); });
}

void end_proxy(const caf::strong_actor_ptr& proxy, const caf::error& reason) {
  static_cast<proxy_actor*>(caf::actor_cast<caf::abstract_actor*>(proxy))->cleanup(caf::error{reason}, nullptr);
}

} // namespace troupe
