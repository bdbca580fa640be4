#pragma once
#include "actors/roles.hpp"
#include "model/parts/weights.hpp"
#include <caf/all.hpp>
#include <map>
#include <string>
#include <vector>

namespace troupe {

struct auditor_config {
  std::vector<std::string> members; // Paths of all heads and shards.
  directory_actor directory;
  uint64_t bytes_per_second = 64 << 20;
  caf::timespan tick = std::chrono::milliseconds(50);
};

/// The auditor: has every head and every shard compare its packed weights with the sums taken when they were packed, one after
/// the other, a piece at a time, and begins again at the end. It reads nothing itself: weights are their owner's.
///
/// Bounds    at most bytes_per_second are read (a strip of 64 rows may be more than a tick's share), so a wrong bit is found
///           within one round: all packed bytes over bytes_per_second, plus a tick for each member. What was computed with it
///           until then has been said: only the check of products prevents that.
/// Finds     the member whose weights are wrong ends and names the matrix; the supervisor's decision says so, and the
///           replacement begins with weights packed anew.
/// Restart   begins with the first member.
struct auditor_state {
  static inline const char* name = "auditor";
  auditor_config config;
  std::map<std::string, caf::strong_actor_ptr> owners;
  size_t member = 0;     // Whose turn it is,
  uint32_t strip = 0;    // and where.
  bool answered = true;  // It has: else it is busy, or it ended.
};

/// What every member does with a VerifyWeights: answers when all is well, and throws wrong_bits when not.
inline void verify_for(caf::local_actor* self, const v1::VerifyWeights& order, const projection_list& weights) {
  v1::WeightsVerified result;
  result.set_path(order.path());
  result.set_next_strip(verify_weights(weights, order.strip(), order.bytes_max()));
  send_packed(self, asker_of<v1::WeightsVerified>(self), packed<v1::WeightsVerified>{std::move(result)});
}

auditor_actor::behavior_type auditor(auditor_actor::stateful_pointer<auditor_state> self, auditor_config config);

} // namespace troupe
