#pragma once
// A proxy in front of an actor that decides what becomes of each message to it. It keeps the sender, so that answers go
// straight back, and it ends with the actor behind it.
//
// Its decision runs in the sender's thread: for simulations, where there is only one.
#include <caf/all.hpp>

#include <functional>
#include <utility>

namespace troupe::testing {

enum class fate { pass, drop, duplicate };

class interposer : public caf::monitorable_actor {
public:
  /// May change the element, or replace it by another, or take it away (then nothing is passed on, whatever is returned).
  /// What an element holds may be shared with other receivers: change a copy.
  using policy = std::function<fate(caf::mailbox_element_ptr&)>;

  interposer(caf::actor_config& config, caf::strong_actor_ptr target, policy decide)
      : monitorable_actor(config), target_(std::move(target)), decide_(std::move(decide)) {}

  using caf::monitorable_actor::enqueue;
  void enqueue(caf::mailbox_element_ptr element, caf::execution_unit* host) override {
    const auto what = decide_(element);
    if (!element || what == fate::drop) return;
    if (what == fate::duplicate)
      target_->enqueue(caf::make_mailbox_element(element->sender, element->mid, element->stages,
                                                 element->copy_content_to_message()),
                       host);
    target_->enqueue(std::move(element), host);
  }
  void on_destroy() override { target_ = nullptr; }

private:
  caf::strong_actor_ptr target_;
  policy decide_;
};

inline caf::strong_actor_ptr interpose(const caf::strong_actor_ptr& target, interposer::policy decide) {
  auto& system = *target->home_system;
  caf::actor_config config;
  auto proxy = caf::make_actor<interposer, caf::actor>(system.next_actor_id(), system.node(), &system, config, target,
                                                       std::move(decide));
  caf::actor_cast<caf::abstract_actor*>(target)->attach_functor([proxy = proxy.address()](const caf::error& why) {
    if (auto strong = caf::actor_cast<caf::strong_actor_ptr>(proxy))
      static_cast<interposer*>(caf::actor_cast<caf::abstract_actor*>(strong))->cleanup(caf::error{why}, nullptr);
  });
  return caf::actor_cast<caf::strong_actor_ptr>(proxy);
}

} // namespace troupe::testing
