#pragma once
// A storm over a simulated troupe: strikes at letters and actors, as the weather has it.
//
// It stays within what the runtime promises to survive. A sequence whose steps fail eight times in a row, or are late 32 times
// in a row as they are when letters are lost, or to which values that are not finite happen three times in a row, ends with
// an error, by design; and a root supervisor whose children die again and again gives up. So the storm counts what it has
// done to each sequence since that sequence last got on, and pauses when the next strike might be one too many.
//
// Links that may lose, repeat or reorder: the letters of a step, its answers, progress queries, AppendToken, TokenEvent and
// GenerateEnd. Sent once and relied upon, as messages inside a process are: what supervisors, directory and subscribers
// tell each other; JoinBatch and GenerateRequest (they may be repeated); logits and hidden states for a client that wants
// them by position, on their way to the sequence and from there.
// A letter is not spoiled on the way from the output to the scheduler: nobody checks it there, as the output has checked
// its parts.
#include "actors/testing/simulated_troupe.hpp"
#include "actors/testing/weather.hpp"
#include <deque>
#include <set>

namespace troupe::testing {

/// Gets one line, without the line break, for everything that happens. Empty: nothing is written.
using trace_sink = std::function<void(const std::string&)>;

class storm {
public:
  storm(const weather& now, trace_sink trace) : weather_(now), trace_(std::move(trace)) {}
  storm(const storm&) = delete;
  storm& operator=(const storm&) = delete;

  /// To be given to the troupe that this storm is for; it outlives the troupe.
  observers eyes();
  void begin(simulated_troupe& over);
  bool is_on() const { return on_; }
  /// To be called before every step.
  void before_step();
  /// Nobody can go on: lets go who was held up for a moment. False: nobody was.
  bool stir();
  /// No more strikes. Held letters arrive, frozen actors go on; hung ones do not, except those that nobody replaces.
  void end();
  const tally& struck() const { return tally_; }

private:
  struct held_letter {
    uint64_t due = 0; // In steps.
    caf::strong_actor_ptr to;
    caf::mailbox_element_ptr element;
  };
  struct frozen_actor {
    caf::actor_id id = 0;
    uint64_t due = 0;                      // In steps,
    caf::actor_clock::time_point until{}; // or in time, whatever comes first.
  };

  fate on_letter(letter& here);
  void look(const letter& here);
  bool happens(strike kind);
  fate strike_letter(letter& here);
  void hold(letter& here, caf::mailbox_element_ptr element, uint64_t steps);
  void postpone(letter& here);
  bool lie(letter& here, strike kind);

  void strike_actor(strike kind);
  void hit(const player& victim, strike kind);
  void release(bool all);
  void jump();

  bool may_harm(uint32_t weight) const;
  void harm(uint32_t weight);
  void got_on(const v1::StepPlan& plan);
  void count(strike kind) { ++tally_.struck[size_t(kind)]; }
  void note(std::string_view what, const std::string& whom);
  void note(const letter& here, std::string_view effect);
  std::string clock();

  weather weather_;
  trace_sink trace_;
  simulated_troupe* troupe_ = nullptr;
  bool on_ = false;
  uint64_t step_ = 0, recovery_until_ = 0;
  struct lied_to {
    uint32_t lies = 0, position = 0; // Since its log was that long.
  };

  uint32_t blows_ = 0, wounds_ = 0;
  std::map<uint64_t, lied_to> lies_;     // By sequence.
  std::map<uint64_t, uint32_t> harmed_;  // By sequence: what was done since it last got on.
  std::set<uint64_t> scoring_;           // Sequences whose clients want rows by position.
  step_id newest_step_, newest_result_;
  std::deque<held_letter> held_;
  std::vector<frozen_actor> frozen_;
  std::string effect_;
  tally tally_;
};

} // namespace troupe::testing
