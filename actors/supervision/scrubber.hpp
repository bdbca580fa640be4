#pragma once
#include "actors/interfaces/roles.hpp"
#include "actors/interfaces/supervision.hpp"
#include "model/parts/weights.hpp"
#include <caf/all.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace troupe {

struct scrubber_config {
  std::vector<std::string> members; // Paths of all heads and shards.
  directory_actor directory;
  uint64_t bytes_per_second = 64 << 20;
  caf::timespan tick = std::chrono::milliseconds(50);
};

/// The scrubber, as in memory scrubbing: has every head and every shard (its members) compare its packed weights with the sums
/// taken when they were packed, one member after the other, a piece at a time, and begins again at the end. It reads no weights
/// itself: they belong to their owner. A piece is a number of strips; a strip is 64 rows of one matrix.
///
/// Bounds    at most bytes_per_second are read (a single strip may be more than a tick's share), so a wrong bit is found
///           within one round: all packed bytes over bytes_per_second, plus a tick for each member. What was computed with it
///           until then may have been sent to clients: only the check of products prevents that.
/// Finds     the member whose weights are wrong ends and names the matrix; the supervisor's decision says so, and the
///           replacement begins with weights packed anew.
/// Retry     it keeps asking: a member that does not answer within a tick has its turn again in the next round.
/// Restart   begins with the first member.
struct scrubber_state {
  static inline const char* name = "scrubber";
  scrubber_config config;
  std::map<std::string, caf::strong_actor_ptr> owners;
  size_t member = 0;     // Index of the member whose turn it is,
  uint32_t strip = 0;    // and the strip it is to begin with.
  bool answered = true;  // Whether that member has answered: if not, it is busy, or it ended.
};

/// What every member does with a VerifyWeights: answers when its weights are intact, and throws wrong_bits when not.
inline void verify_for(caf::local_actor* self, const v1::VerifyWeights& order, const projection_list& weights) {
  v1::WeightsVerified result;
  result.set_path(order.path());
  result.set_next_strip(verify_weights(weights, order.strip(), order.bytes_max()));
  send_packed(self, asker_of<v1::WeightsVerified>(self), packed<v1::WeightsVerified>{std::move(result)});
}

scrubber_actor::behavior_type scrubber(scrubber_actor::stateful_pointer<scrubber_state> self, scrubber_config config);

} // namespace troupe
