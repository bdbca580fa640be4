#pragma once
// All that a supervisor does, apart from the actor that does it: for supervisors that have other
// conversations too.
#include "actors/life.hpp"
#include "actors/restart_window.hpp"
#include "actors/supervisor.hpp"

#include <list>

namespace troupe {

/// Lives in the state of a supervising actor, which forwards what the directory, the clock and the children
/// tell it:
///
///   struct my_state { std::optional<supervisor_core> core; };
///   my_actor::behavior_type mine(my_actor::stateful_pointer<my_state> self, ...) {
///     auto& core = self->state.core.emplace(self, path, policy, children, directory);
///     core.take_over();
///     core.start_all();
///     return {[self](const v1::AbandonActor& m) { self->state.core->on_abandon(m); },
///             [self](const v1::SupervisorTick& m) { self->state.core->on_tick(m); },
///             [self](const v1::CheckLife& m) { self->state.core->on_check(m); },
///             [self](const v1::SignOfLife& m) { self->state.core->on_sign(m); }, ...};
///   }
///
/// The actor may monitor others as well: it sets its own down handler after take_over() and passes everything
/// on; on_down says whether the message was about a child.
///
/// Rules, where OTP leaves a choice or the header of supervisor.hpp is short:
/// - Children are stopped one at a time, each after the end of the one started after it; children of a
///   simple_one_for_one supervisor have no order and are stopped all at once.
/// - With one_for_all and rest_for_one a child that waits for its back-off holds up those after it.
/// - An end while the child was to be stopped anyway is no restart. Only unexpected ends count, and failed
///   starts.
/// - A temporary child that is stopped along with a group is not started again; a transient one is, even if
///   it was done.
/// - Who owes a sign of life is replaced after life_looks_max looks; but when several are late at once, that is rather the
///   machine: they get another round. Each time somebody is replaced for it the next gets twice as many looks, up to 16
///   times, until all have answered: who cannot do it in time must not be replaced for ever. Children are also
///   asked while they are being stopped, by whoever stops them: the grace of a supervisor is long, and one that hangs will not
///   use it.
/// - Dying in any way, also by kill, the core kills its children: it leaves no orphans.
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
  /// messages that nobody handles end the actor.
  void take_over();

  /// Starts all children in order. With simple_one_for_one there are none yet.
  void start_all();

  /// simple_one_for_one only: starts one more child. Null when its start failed (retried later unless it is
  /// temporary) or when the supervisor is stopping.
  caf::strong_actor_ptr start_child(caf::message args);

  /// False: not about a child.
  bool on_down(const caf::down_msg& down);
  void on_exit(const caf::exit_msg& order);
  void on_tick(const v1::SupervisorTick& tick);
  /// Drops the child of that path at once, as if it had ended abnormally. Ignored when that child is another actor by
  /// now, or not running here (any more). An empty path breaks an invariant.
  void on_abandon(const v1::AbandonActor& order);
  /// Somebody misses something: says that we live, and asks all children that give signs of life for one, unless that was
  /// done just now.
  void on_check(const v1::CheckLife& check);
  void on_sign(const v1::SignOfLife& sign);

  /// How many children are running or being stopped.
  std::size_t alive() const;
  bool stopping() const { return ending_; }
  const std::string& path() const { return path_; }

private:
  enum class phase : uint8_t {
    waiting,  // To be started, not before `due`.
    running,  //
    leaving,  // To be stopped, when its turn comes.
    stopping, // Asked to end; killed at `due`.
    killed,   // Given up at `due`.
    done,     // Not to be started again.
  };
  struct child {
    const child_spec* spec;
    std::string path;
    caf::message args;
    restart_window restarts;
    caf::strong_actor_ptr handle = nullptr; // Null in phases waiting and done.
    phase now = phase::waiting;
    bool again = true; // Once stopped: start it again.
    bool was_started = false;
    uint32_t times_restarted = 0;
    restart_clock_point due{};
    life_check life{};
  };
  using children_list = std::list<child>;

  bool is_simple() const { return policy_.strategy == restart_strategy::simple_one_for_one; }
  bool starts_in_order() const;
  bool restarts_after(const child& which, const caf::error& reason) const;

  // What happened to a child, and what follows from it.
  void ended(child& which, const caf::error& reason); // While it was running.
  void start_failed(child& which, const std::string& text);
  void left(child& which);                                    // While it was to be stopped anyway.
  bool count_restart(child& which, const caf::error& reason); // False: too many, and we end.
  std::vector<std::string> restart_along(const child& culprit);
  void abandon(child& which, const std::string& why);
  void begin_end(caf::error reason);

  // Does what is due, and asks to be woken for the rest. Every entry point ends with it.
  void advance();
  void ask_for_sign(child& which);
  void look_for_signs();
  void hurry_overdue();
  void stop_next();
  bool start_waiting();
  void start(child& which);
  bool any_leaving() const;
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
  restart_window restarts_;
  restart_clock_point wake_{}; // When the latest tick that was asked for arrives; past: none is under way.
  uint64_t rounds_ = 0; // How many ticks were asked for.
  uint64_t checks_ = 0; // How many signs of life were.
  restart_clock_point check_again_{}; // Not before.
  restart_clock_point look_ = restart_clock_point::max(); // When to look next who still owes a sign.
  uint32_t patience_ = 1;
  bool several_were_late_ = false;
  bool ending_ = false; // All children are to be stopped, then `why_` becomes our exit reason.
  bool quit_ = false;
  caf::error why_;
};

/// Sends an exit message that overtakes what is already in the mailbox and cannot be trapped.
void send_kill(const caf::strong_actor_ptr& to);

} // namespace troupe
