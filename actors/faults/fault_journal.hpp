#pragma once
// What the injector records for reports: injections and what came of them, incarnations of actors, rows that were run again.
// Pure.
#include "actors/faults/trigger.hpp"
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace troupe {

class fault_journal {
public:
  /// Returns the number of this incarnation at its path, from 0.
  uint32_t actor_started(const std::string& path, uint64_t request, double now_ms);
  void actor_ended(const std::string& path, uint32_t incarnation, const std::string& reason, double now_ms);

  /// `needs_replacement`: the actor at `path` has to be started again before this injection is over. `request`: of a sequence.
  void injected(const v1::Fault& fault, const std::string& path, const passing_message* message, uint64_t request,
                bool needs_replacement, double now_ms);
  /// The actor that hung there goes on.
  void released(const std::string& path, double now_ms);
  /// A request is over: nothing of it has to be replaced any more.
  void request_ended(uint64_t request);
  /// The results of a step reached the scheduler, or the report of a training step its client: what was replaced before it began has
  /// recovered, unless that step was a replay with more to follow.
  void step_came_through(double now_ms);

  /// A step begins, with these rows.
  void rows_were_sent(const std::vector<request_rows>& rows, double now_ms);

  /// Of a training run: its client orders the next step, from this update on; an attempt at it begins; rows of a micro-batch are sent.
  void training_step_ordered(uint64_t update, bool is_evaluation);
  void training_attempt_began(double now_ms);
  void micro_batch_was_sent(uint32_t index, uint64_t rows);
  void message_passed() { ++messages_; }

  /// Without `unmatched`.
  v1::FaultLog log() const;

private:
  static constexpr size_t incarnations_max = 4096, injections_max = 65536;
  struct open_injection {
    int index; // In injections_.
    std::string path;
    uint64_t request; // 0: of none, or of one that is over.
    uint64_t replayed_before; // rows_replayed_ when it was injected,
    double replay_before_ms;  // and replay_ms_.
    bool replaced;
    uint64_t steps_before = 0; // steps_ when it was replaced.
  };
  void set_replaced(open_injection& injection, double now_ms);

  std::vector<v1::FaultInjection> injections_;
  std::vector<open_injection> open_;
  // By number, in the order of their starts. Beyond incarnations_max the oldest of those that have ended is forgotten.
  std::map<uint64_t, v1::ActorIncarnation> incarnations_;
  std::set<uint64_t> ended_; // Numbers of those that have ended.
  std::map<std::pair<std::string, uint32_t>, uint64_t> running_; // By path and incarnation: numbers of those that have not ended.
  std::map<std::string, uint32_t> started_; // Incarnations so far, by path; not of sequences that have ended, which have one each.
  std::map<uint64_t, uint32_t> sent_;       // Positions so far, by request.
  uint64_t injected_ = 0, starts_ = 0, restarts_ = 0, messages_ = 0, rows_ = 0, rows_replayed_ = 0, steps_ = 0;
  double replay_ms_ = 0; // Of all steps that ran rows again and came through.
  std::optional<double> replay_began_ms_; // The latest step is one of them, and under way.
  std::set<uint64_t> served_; // The requests of the latest step.
  bool behind_ = false; // The latest step does not reach as far as its requests, or the training run, had come before.
  uint64_t newest_update_ = 0, ordered_ = 0; // Of a training run: which update's result was ordered; 0: an evaluation.
  std::map<uint64_t, uint32_t> micro_batches_sent_; // For each, in any attempt.
};

} // namespace troupe
