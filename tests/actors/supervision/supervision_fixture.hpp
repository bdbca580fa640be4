#pragma once
// What the tests of supervisors and of the directory share: a simulated system with a directory, and children
// whose behaviour the test controls.
#include "actors/supervision/directory.hpp"
#include "actors/supervision/failure.hpp"
#include "actors/supervision/supervisor.hpp"
#include "actors/supervision/supervisor_core.hpp"
#include "actors/supervision/liveness.hpp"
#include "actors/testing/simulation.hpp"

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace troupe::testing {

using throw_atom = caf::atom_constant<caf::atom("throw")>;
using finish_atom = caf::atom_constant<caf::atom("finish")>;

/// Neither answers nor ends, whatever it is sent: stands for an actor that hangs in a handler, without blocking
/// the simulation.
class deaf_actor : public caf::monitorable_actor {
public:
  explicit deaf_actor(caf::actor_config& cfg) : caf::monitorable_actor(cfg) {}
  using caf::monitorable_actor::enqueue;
  void enqueue(caf::mailbox_element_ptr, caf::execution_unit*) override { ++messages; }
  int messages = 0;
};

/// The simulated system of one test. (Not a stage of the pipeline.)
struct stage {
  explicit stage(std::uint64_t seed = 1) : sim(seed), directory(spawn_directory(sim.system())) {}

  /// Ends everything. Returns how many actors are left.
  std::size_t close() {
    for (auto& s : supervisors)
      caf::anon_send_exit(s, caf::exit_reason::user_shutdown);
    sim.run_to_idle();
    supervisors.clear();
    caf::anon_send_exit(directory, caf::exit_reason::user_shutdown);
    directory = nullptr;
    sim.run_to_idle();
    return sim.actors_running();
  }
  ~stage() { close(); }

  /// A child that logs its start as "+path" and its end as "-path", and throws or finishes at the message `throw` or `finish`.
  child_spec obedient(std::string path, restart_kind kind = restart_kind::permanent) {
    child_spec spec;
    spec.path = std::move(path);
    spec.restart = kind;
    spec.start = [this](caf::scheduled_actor* self, const std::string& own, const caf::message&) {
      events.push_back("+" + own);
      return caf::actor_cast<caf::strong_actor_ptr>(self->spawn([this, own](caf::event_based_actor* child) {
        report_exceptions(child);
        child->attach_functor([this, own](const caf::error&) { events.push_back("-" + own); });
        return caf::behavior{[](throw_atom) { throw std::runtime_error("told to throw"); },
                             [child](finish_atom) { child->quit(); }};
      }));
    };
    return spec;
  }

  /// Ends only when it is killed.
  child_spec stubborn(std::string path) {
    child_spec spec;
    spec.path = std::move(path);
    spec.start = [this](caf::scheduled_actor* self, const std::string& own, const caf::message&) {
      events.push_back("+" + own);
      return caf::actor_cast<caf::strong_actor_ptr>(self->spawn([this, own](caf::event_based_actor* child) {
        child->set_exit_handler([](caf::exit_msg&) {});
        child->attach_functor([this, own](const caf::error&) { events.push_back("-" + own); });
        return caf::behavior{[](throw_atom) {}};
      }));
    };
    return spec;
  }

  /// Answers liveness checks.
  child_spec lively(std::string path) {
    child_spec spec;
    spec.path = std::move(path);
    spec.answers_liveness_checks = true;
    spec.start = [this](caf::scheduled_actor* self, const std::string& own, const caf::message&) {
      events.push_back("+" + own);
      return caf::actor_cast<caf::strong_actor_ptr>(self->spawn([this](caf::event_based_actor* child) {
        return caf::behavior{[this, child](const v1::CheckLiveness& check) {
          ++checks;
          answer_liveness_check(child, check);
        }};
      }));
    };
    return spec;
  }

  /// Hangs: never answers and never ends.
  child_spec deaf(std::string path) {
    child_spec spec;
    spec.path = std::move(path);
    spec.start = [this](caf::scheduled_actor* self, const std::string& own, const caf::message&) {
      events.push_back("+" + own);
      auto& system = self->system();
      caf::actor_config cfg;
      return caf::make_actor<deaf_actor, caf::strong_actor_ptr>(system.next_actor_id(), system.node(),
                                                                &system, cfg);
    };
    return spec;
  }

  supervisor_actor supervise(supervisor_policy policy, std::vector<child_spec> children,
                             std::string path = "/s") {
    auto s = spawn_supervisor(sim.system(), std::move(path), policy, std::move(children), directory);
    supervisors.push_back(s);
    sim.run_now();
    return s;
  }

  /// What the directory lists now.
  v1::ActorList list() {
    caf::scoped_actor self{sim.system()};
    v1::ActorList result;
    auto pending = self->request(directory, caf::infinite, v1::ListActors{});
    sim.run_now();
    pending.receive([&](const v1::ActorList& l) { result = l; },
                    [](const caf::error& e) { throw std::runtime_error("no list: " + reason_text(e)); });
    return result;
  }

  std::vector<std::string> paths() {
    const auto l = list();
    return {l.paths().begin(), l.paths().end()};
  }

  v1::SupervisorDecision last_decision() {
    const auto l = list();
    if (l.decisions().empty())
      throw std::runtime_error("no decision was published");
    return *l.decisions().rbegin();
  }

  /// The actor at `path` now, according to the directory. Null: there is none.
  caf::strong_actor_ptr find(const std::string& path) {
    caf::scoped_actor self{sim.system()};
    v1::Subscribe request;
    request.add_paths(path);
    self->send(directory, request, caf::actor_cast<caf::strong_actor_ptr>(self));
    sim.run_now();
    caf::strong_actor_ptr result;
    bool more = self->has_next_message();
    if (more)
      self->receive([&](const v1::ActorStarted&, const caf::strong_actor_ptr& actor) { result = actor; });
    return result;
  }

  template <class Atom>
  void tell(const std::string& path, Atom what) {
    caf::anon_send(caf::actor_cast<caf::actor>(find(path)), what);
    sim.run_now();
  }

  void kill(const std::string& path) {
    caf::anon_send_exit(find(path), caf::exit_reason::kill);
    sim.run_now();
  }

  /// As a client or the scheduler does it: through the directory.
  void abandon(const std::string& path, const std::string& why = "does not answer") {
    const auto actor = find(path);
    v1::AbandonActor order;
    order.set_path(path);
    order.set_actor_id(actor ? actor->id() : 0);
    order.set_reason(why);
    caf::anon_send(directory, order);
    sim.run_now();
  }

  std::vector<std::string> take_events() { return std::exchange(events, {}); }

  simulation sim;
  std::vector<std::string> events;
  int checks = 0;
  directory_actor directory;
  std::vector<supervisor_actor> supervisors;
};

} // namespace troupe::testing
