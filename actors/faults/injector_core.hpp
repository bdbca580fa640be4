#pragma once
// The state of the injector and what it does with each message. See injector.hpp.
#include "actors/faults/fault_journal.hpp"
#include "actors/faults/injector_config.hpp"
#include "actors/faults/message_facts.hpp"
#include "actors/faults/proxy.hpp"
#include "actors/interfaces/step.hpp"
#include <deque>
#include <map>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

namespace troupe {

class injector_core {
public:
  injector_core(caf::scheduled_actor* self, injector_config config);

  void on_start_begun() { ++starts_under_way_; }
  void on_start_done(start_done& news);
  void on_target_ended(const target_ended& news);
  void on_message(intercepted_message& one);
  void on_timer(uint64_t number);
  void stop_faults();
  v1::FaultLog log() const;
  void end_all(); // Kills the actors that hang, and ends all proxies.

private:
  struct slowness {
    double factor = 1;
    caf::timespan added{0};
    std::optional<caf::actor_clock::time_point> until;
    caf::actor_clock::time_point last{}; // When the latest message that was held back comes.
  };
  struct delayed_message {
    caf::actor_id target;
    caf::mailbox_element_ptr element;
  };
  struct waiting_message { // A reordered one.
    caf::mailbox_element_ptr element;
    uint32_t others; // How many are yet to pass.
  };
  /// An actor that has a proxy.
  struct member {
    caf::actor_id id = 0; // Of the target.
    std::string path;
    uint32_t incarnation = 0;
    uint64_t request = 0; // Of sequences and clients' requests; 0: none.
    caf::strong_actor_ptr target, proxy;
    bool hung = false;
    bool keeps_messages = false; // It hangs for a while only: nothing is lost.
    std::vector<delayed_message> kept;
    std::optional<slowness> slow;
    std::optional<caf::actor_clock::time_point> asked; // When it got its latest message.
    std::vector<waiting_message> waiting;
  };
  struct clock_chance {
    size_t fault;
  };
  struct hang_is_over {
    caf::actor_id who;
  };
  struct reorder_is_over {
    caf::actor_id who;
  };
  using timer_purpose = std::variant<delayed_message, clock_chance, hang_is_over, reorder_is_over>;

  double now_ms() const; // Since began_; for triggers.
  double journal_ms() const;
  void begin_clock();
  uint64_t set_timer(double ms, timer_purpose purpose);
  member* find(caf::actor_id id);
  member* member_at(const caf::strong_actor_ptr& handle) { return handle ? find(handle->id()) : nullptr; }

  void route(caf::actor_id target, caf::mailbox_element_ptr element);
  void name_proxies(caf::mailbox_element_ptr& element);
  void note_clients(std::string_view type, const caf::mailbox_element& element);
  void note_training(std::string_view type, const caf::mailbox_element& element);
  void add_client(const caf::strong_actor_ptr& client);
  bool is_held_by_hang(member* from, member& to, caf::mailbox_element_ptr& element);
  bool inject(const passing_message& message, member& to, caf::mailbox_element_ptr& element);
  bool inject_into_message(trigger_state& trigger, const passing_message& message, member& to, caf::mailbox_element_ptr& element);
  void inject_into_actor(trigger_state& trigger, const passing_message* message, member& target,
                         caf::mailbox_element_ptr* element);
  void note_injection(trigger_state& trigger, const passing_message* message, const member& target);
  member* choose_target(const v1::Fault& fault, member* receiver);
  void try_by_clock(size_t fault);
  bool was_other_injected(const trigger_state& trigger) const;
  void deliver_after(double ms, caf::actor_id target, caf::mailbox_element_ptr element);
  double slowed_ms(member& from);
  void deliver(member& to, caf::mailbox_element_ptr element);
  void enqueue(member& to, caf::mailbox_element_ptr element);
  void end_waiting(member& to);
  void send_end(const member& target, const caf::error& reason, bool urgent);
  void release(caf::actor_id who);

  caf::scheduled_actor* self_;
  injector_config config_;
  fault_rng rng_;
  std::vector<trigger_state> triggers_;
  std::map<caf::actor_id, member> members_;                   // By the id of the target.
  std::unordered_map<uint64_t, uint64_t> sequences_;          // From a sequence's id, which never comes back, to its request.
  std::unordered_set<caf::actor_id> ended_;                   // Ids of actors that were members,
  std::map<caf::actor_id, std::vector<caf::mailbox_element_ptr>> early_; // and messages for actors that are none yet.
  std::map<std::string, caf::strong_actor_ptr> former_;       // The latest incarnation that ended at a path.
  std::map<std::pair<caf::actor_id, uint64_t>, uint64_t> requests_; // (client, its number) to ours.
  std::deque<delayed_message> unknown_; // Kept while actors are being started.
  std::map<uint64_t, timer_purpose> timers_;
  std::vector<request_rows> current_rows_; // Of the newest step.
  fault_journal journal_;
  uint64_t starts_under_way_ = 0, timers_set_ = 0, clients_ = 0;
  std::optional<caf::actor_clock::time_point> began_; // The first request, or order of a training run, passed.
  uint64_t newest_order_ = 0; // Of a training run,
  step_id newest_attempt_;    // and the newest attempt at it.
  caf::actor_clock::time_point born_; // The journal counts from here: actors start before the first request.
  bool stopped_ = false;
};

} // namespace troupe
