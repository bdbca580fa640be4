#pragma once
// All that a supervisor does, apart from the actor that does it: for supervisors that handle other messages too.
#include "actors/interfaces/supervision.hpp"
#include "actors/supervision/child_spec.hpp"
#include "actors/supervision/liveness.hpp"
#include "actors/supervision/restart_window.hpp"
#include "actors/supervision/running_time.hpp"

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <vector>

namespace troupe {

/// Part of the state of a supervising actor, which forwards to it what the directory, the clock and the children
/// send:
///
///   struct my_state { std::optional<supervisor_core> core; };
///   my_actor::behavior_type mine(my_actor::stateful_pointer<my_state> self, ...) {
///     auto& core = self->state.core.emplace(self, path, policy, children, directory);
///     core.take_over();
///     core.start_all();
///     return {[self](const v1::AbandonActor& m) { self->state.core->on_abandon(m); },
///             [self](const v1::SupervisorTick& m) { self->state.core->on_tick(m); },
///             [self](const v1::CheckLiveness& m) { self->state.core->on_liveness_check(m); },
///             [self](const v1::LivenessReply& m) { self->state.core->on_liveness_reply(m); }, ...};
///   }
///
/// The actor may monitor others as well: it sets its own down handler after take_over() and passes everything
/// on; on_down says whether the message was about a child.
///
/// Rules, where OTP leaves a choice or the header of supervisor.hpp is short:
/// - Children are stopped one at a time, each after the end of the one started after it; children of a
///   simple_one_for_one supervisor have no order and are stopped all at once.
/// - With one_for_all and rest_for_one a child that waits for its back-off holds up those after it.
/// - The end of a child that was to be stopped anyway is no restart. Only unexpected ends count, and failed
///   starts.
/// - A temporary child that is stopped along with a group is not started again; a transient one is, even if
///   it was done.
/// - A child that owes a liveness reply is replaced after liveness_ticks_max ticks, in which only the time counts that the threads
///   had the processors (running_time); but when several are late at once, the
///   machine is more likely the cause than they are: their ticks are counted from 0 again, once. Each time a child is replaced
///   for it, the children get twice as many ticks, up to 16 times, until all have answered: a child that cannot answer in time
///   must not be replaced for ever. Children are also asked while they are being stopped: the shutdown_max of a supervisor is
///   long, and one that hangs is not given that time.
/// - Ending in any way, also by kill, the core kills its children: it leaves no orphans.
///
/// Cost: starting a child and its end take O(log n) with n children, as long as none of them is being stopped or waits for its start.
///
/// Retry     orders and questions may come twice: the second changes nothing.
/// Restart   the new supervisor starts new children; those of the old one have been killed.
class supervisor_core {
public:
  /// `self` outlives the core. `children`: the order of start; exactly one for simple_one_for_one.
  /// `directory` may be null.
  supervisor_core(caf::scheduled_actor* self, std::string path, supervisor_policy policy,
                  std::vector<child_spec> children, directory_actor directory);
  supervisor_core(const supervisor_core&) = delete;
  supervisor_core& operator=(const supervisor_core&) = delete;
  ~supervisor_core();

  /// Makes down and exit messages of the actor go to on_down and on_exit, exceptions keep their text, and
  /// messages without a handler end the actor.
  void take_over();

  /// Starts all children in order. With simple_one_for_one there are none yet.
  void start_all();

  /// simple_one_for_one only: starts one more child. Null when its start failed (retried later unless it is
  /// temporary; start_error() says why) or when the supervisor is stopping.
  caf::strong_actor_ptr start_child(caf::message args);
  const std::string& start_error() const { return start_error_; } // Of the latest start that failed.

  /// False: not about a child.
  bool on_down(const caf::down_msg& down);
  void on_exit(const caf::exit_msg& order);
  void on_tick(const v1::SupervisorTick& tick);
  /// Drops the child of that path at once, as if it had ended abnormally. Ignored when that child is another actor by
  /// now, or not running here (any more). An empty path breaks an invariant.
  void on_abandon(const v1::AbandonActor& order);
  /// Replies, and sends a liveness check to every child that answers them, unless that was done within liveness_silence.
  void on_liveness_check(const v1::CheckLiveness& check);
  void on_liveness_reply(const v1::LivenessReply& reply);

  /// How many children are running or being stopped.
  std::size_t alive() const { return by_handle_.size(); }
  bool stopping() const { return ending_; }
  const std::string& path() const { return path_; }

private:
  enum class phase : uint8_t {
    waiting,  // To be started, not before `due`.
    running,
    leaving,  // To be stopped, when its turn comes.
    stopping, // Asked to end; killed at `due`.
    killed,   // Given up at `due`.
    done,     // Not to be started again.
  };
  struct child;
  using children_list = std::list<child>;
  using child_place = children_list::iterator;
  struct child {
    const child_spec* spec;
    std::string path;
    caf::message args;
    restart_window restarts;
    caf::strong_actor_ptr handle = nullptr; // Null in phases waiting and done.
    phase now = phase::waiting; // Changed by set().
    bool again = true; // Once stopped: start it again.
    bool was_started = false;
    uint32_t times_restarted = 0;
    restart_clock_point due{};
    liveness_check liveness{};
    child_place place{}; // Its own, in children_.
  };

  bool is_simple() const { return policy_.strategy == restart_strategy::simple_one_for_one; }
  bool starts_in_order() const;
  bool restarts_after(const child& which, const caf::error& reason) const;

  child_place add(const child_spec& spec, caf::message args);
  void set(child& which, phase next);
  void set_handle(child& which, caf::strong_actor_ptr handle);
  void drop_handle(child& which);

  // What happened to a child, and what follows from it.
  void ended(child& which, const caf::error& reason); // While it was running.
  void start_failed(child& which, const std::string& text);
  void left(child& which);                                    // While it was to be stopped anyway.
  bool count_restart(child& which, const caf::error& reason); // False: too many, and the supervisor ends.
  std::vector<std::string> restart_along(const child& culprit);
  void abandon(child& which, const std::string& why);
  void begin_end(caf::error reason);

  // Does what is due, and asks to be woken for the rest. Every entry point ends with it.
  void advance();
  void ask_child(child& which); // Sends a liveness check, unless the child does not answer them or owes a reply already.
  void abandon_silent();        // Counts a tick, if one is due, for all that owe a liveness reply; abandons those that are late.
  void kill_overdue();          // Of those being stopped.
  void stop_next();
  bool start_waiting();
  void start(child& which);
  void let_go(child& which);
  void wake_when_due();

  restart_clock_point now() const;
  void publish_start(const child& which);
  void publish(const child& which, const caf::error& reason, v1::Directive directive,
               const std::vector<std::string>& stopped = {});

  caf::scheduled_actor* self_;
  const std::string path_;
  const supervisor_policy policy_;
  const std::vector<child_spec> specs_;
  const directory_actor directory_;
  children_list children_; // In order of start.
  std::map<caf::actor_id, child_place> by_handle_; // Those that have a handle, by its id.
  std::vector<child_place> done_; // Of simple_one_for_one: to be forgotten.
  std::size_t waiting_ = 0, leaving_ = 0; // How many children wait for their start; are to be stopped or are being stopped.
  restart_window restarts_;
  restart_clock_point wake_{}; // When the latest SupervisorTick that was scheduled arrives; past: none is under way.
  uint64_t rounds_ = 0; // How many SupervisorTicks were scheduled.
  uint64_t checks_ = 0; // How many liveness checks were sent.
  restart_clock_point check_again_{}; // The children are not asked again before this.
  running_time ran_; // From tick to tick.
  restart_clock_point next_tick_ = restart_clock_point::max(); // When the next tick counts for those that owe a liveness reply.
  uint32_t patience_ = 1; // Times liveness_ticks_max.
  bool several_were_late_ = false;
  bool ending_ = false; // All children are to be stopped, then the supervisor ends with `why_`.
  bool quit_ = false;
  caf::error why_;
  std::string start_error_;
};

/// Sends an exit message that overtakes what is already in the mailbox and cannot be trapped.
void send_kill(const caf::strong_actor_ptr& to);

} // namespace troupe
