#pragma once
// Injects random faults into the messages and actors of a simulation, by a fault schedule.
//
// It stays within what the runtime promises to survive. A sequence whose steps fail eight times in a row, or are late 32 times
// in a row as they are when messages are lost, or that gets values that are not finite three times in a row, ends with an
// error, by design; and a root supervisor whose children end again and again gives up. So the injector counts what it has
// done to each sequence since the sequence last made progress, and pauses when the next injection might be one too many. A
// training step is given up when it gives values that are not finite ten times in a row: a run is counted like a sequence, whose
// progress are the reports of its steps.
//
// Links that may lose, repeat or reorder: the messages of a step, its answers, progress queries, AppendToken, TokenEvent and
// GenerateEnd; all messages of training, but for the states on their way to the client. Sent once and relied upon, as messages inside a process are: what supervisors, directory and subscribers
// tell each other; JoinBatch and GenerateRequest (they may be repeated); logits and hidden states for a client that wants
// them by position, on their way to the sequence and from there.
// A message is not corrupted on the way from the output to the scheduler: it is not checked there, as the output has checked
// what it is made of.
#include "actors/testing/fault_schedule.hpp"
#include "actors/testing/simulated_actors.hpp"
#include "troupe/v1/step.pb.h"
#include "troupe/v1/training.pb.h"
#include <deque>
#include <set>

namespace troupe::testing {

/// Gets one line, without the line break, for everything that happens. Empty: nothing is written.
using trace_sink = std::function<void(const std::string&)>;

class simulated_injector {
public:
  simulated_injector(const fault_schedule& schedule, trace_sink trace) : schedule_(schedule), trace_(std::move(trace)) {}
  simulated_injector(const simulated_injector&) = delete;
  simulated_injector& operator=(const simulated_injector&) = delete;

  /// For the actors that faults are injected into; the injector must outlive them.
  observers make_observers();
  void begin(simulated_actors& over);
  bool is_on() const { return on_; }
  /// To be called before every step.
  void before_step();
  /// When no actor can go on: delivers what is held, and frozen actors go on. False: there was neither.
  bool release_held();
  /// No more injections. Held messages arrive, frozen actors go on; hung ones stay hung.
  void end();
  const injection_counts& injected() const { return counts_; }

private:
  struct held_message {
    uint64_t due = 0; // In steps.
    caf::strong_actor_ptr to;
    caf::mailbox_element_ptr element;
  };
  struct frozen_actor {
    caf::actor_id id = 0;
    uint64_t due = 0;                     // In steps,
    caf::actor_clock::time_point until{}; // or in time, whatever comes first.
  };

  fate on_message(message_record& here);
  void observe(const message_record& here);
  bool occurs(fault_kind kind);
  fate inject_into_message(message_record& here);
  void hold(message_record& here, caf::mailbox_element_ptr element, uint64_t steps);
  void postpone(message_record& here);
  bool corrupt_value(message_record& here, fault_kind kind);

  void inject_into_actor(fault_kind kind);
  void carry_out(fault_kind kind, const actor_record& target);
  void release(bool all);
  void jump();

  bool may_harm(uint32_t weight) const;
  void add_harm(uint32_t weight);
  void note_progress(const v1::StepPlan& plan);
  void note_report(const v1::StepReport& report);
  void count(fault_kind kind) { ++counts_.by_kind[size_t(kind)]; }
  void note(std::string_view what, const std::string& details);
  void note(const message_record& here, std::string_view effect);
  std::string clock();

  fault_schedule schedule_;
  trace_sink trace_;
  simulated_actors* actors_ = nullptr;
  bool on_ = false;
  uint64_t step_ = 0, recovery_until_ = 0;
  struct corruption_count {
    uint32_t count = 0, position = 0; // Since its log was that long.
  };

  uint32_t actor_injections_ = 0, harm_since_progress_ = 0;
  std::map<uint64_t, corruption_count> corruptions_; // By sequence; 0: the training run.
  std::map<uint64_t, uint32_t> harmed_;              // By sequence: what was done since it last made progress.
  std::set<uint64_t> scoring_;                       // Sequences whose clients want rows by position.
  step_id newest_step_, newest_result_;
  std::deque<held_message> held_;
  std::vector<frozen_actor> frozen_;
  std::string effect_;
  injection_counts counts_;
};

} // namespace troupe::testing
