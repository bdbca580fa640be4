#pragma once
// Signs of life: how whoever waits finds out that somebody hangs, which means: lives, and handles nothing. Who crashes is
// seen by monitors and who holds up a step by its deadline; this is for all others: supervisors, directory, scheduler, sequences.
//
// Nobody is asked while all goes well, so it costs nothing. A client that hears nothing of a request for life_silence asks the
// root and the request's sequence. A supervisor that is asked says that it lives and asks its children in turn, as far as
// they give signs; whoever does not answer in time is replaced. Who does not give signs: heads, shards and stages, which may
// compute for long; the scheduler knows how long.
//
// The root is asked too, but nobody could replace it. It does nothing but this and restarting two children.
#include "messages/caf_message.hpp"
#include "troupe/v1/supervision.pb.h"
#include <caf/all.hpp>
#include <chrono>
#include <cstdint>
#include <utility>

namespace troupe {

/// Nobody is asked before something is overdue for so long, nor again within that time.
constexpr caf::timespan life_silence = std::chrono::milliseconds(500);
/// Whoever waits for a sign looks at most so often,
constexpr caf::timespan life_look = std::chrono::milliseconds(100);
/// and loses patience at the nth look. Looks, and not time: they wait in the same queues as the questions. So nobody is late
/// because the process stood still (that was one look), or because all threads compute (then looks are late as well).
constexpr uint32_t life_looks_max = 5;

/// Whether one actor owes a sign of life, and for how many looks. Pure.
class life_check {
public:
  bool owes() const { return number_ != 0; }
  void ask(uint64_t number) { *this = life_check(number); } // Not 0.
  /// False: it answers an older question, or none.
  bool answer(uint64_t number) {
    const bool is_it = owes() && number == number_;
    if (is_it) number_ = 0;
    return is_it;
  }
  /// True: too many.
  bool look(uint32_t patience = 1) { return owes() && ++looks_ >= life_looks_max * patience; }
  void look_afresh() { looks_ = 0; }

  life_check() = default;

private:
  explicit life_check(uint64_t number) : number_(number) {}
  uint64_t number_ = 0;
  uint32_t looks_ = 0;
};

/// What everyone who gives signs of life does with a CheckLife.
inline void give_sign(caf::local_actor* self, const v1::CheckLife& check) {
  v1::SignOfLife sign;
  sign.set_check(check.check());
  send_packed(self, asker_of<v1::SignOfLife>(self), packed<v1::SignOfLife>{std::move(sign)});
}

} // namespace troupe
