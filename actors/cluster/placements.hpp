#pragma once
// Who computes which layers. Pure: what happened goes in, decisions come out; no actor, no clock.
#include "model/parts.hpp"
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace troupe {

/// Some consecutive layers of a stack, and the worker that computes them for all replicas.
struct segment_place {
  bool of_encoder = false;
  uint32_t index = 0; // In its stack, in the order in which a step passes them.
  range layers;
  std::string worker; // Empty: none can at present.
  bool operator==(const segment_place&) const = default;
};

struct placements_config {
  uint32_t layers = 0, encoder_layers = 0; // How many there are.
  uint32_t segments = 1;                   // Of each stack: how many workers are to compute. As usable_segments() says.
  int64_t start_patience_ns = 0;  // So long it waits for all of them before it begins with those that are there.
  int64_t return_patience_ns = 0; // So long a worker that was lost may take to come back, before others take its layers on top of theirs.
};

/// As many segments as `wanted`, but at least one, and none without a layer.
uint32_t usable_segments(uint32_t wanted, const placements_config& of);

/// Rules.
/// - Each stack is cut into as many segments as workers are to compute, in proportion to their threads, once: when all of them are there,
///   or start_patience_ns after the first. A worker that has no segment is a spare.
/// - A segment whose worker is lost, or drained, goes to a spare at once. Without a spare, that of a lost worker waits for
///   return_patience_ns, and then goes to the worker with the fewest layers; that of a drained one goes there at once. A worker that comes
///   back has its segments again if nobody else has them.
/// - A worker that comes and is a spare takes a segment from a worker that has more than its own.
/// - Nothing else moves: what moves loses its caches, and its sequences are computed again.
class placements {
public:
  explicit placements(placements_config config);

  void worker_ready(const std::string& worker, uint32_t threads, int64_t now_ns);
  void worker_lost(const std::string& worker, int64_t now_ns);
  void drain(const std::string& worker, bool is_drained);

  /// Decides what can be decided by now. Call it after everything above, and when time has passed.
  const std::vector<segment_place>& decide(int64_t now_ns);
  const std::vector<segment_place>& segments() const { return segments_; }
  /// Ready, not drained, without a segment.
  std::vector<std::string> spares() const;
  bool is_drained(const std::string& worker) const;

private:
  struct worker {
    uint32_t threads = 1;
    bool is_ready = false, is_drained = false;
    int64_t lost_ns = 0;
  };
  bool can_compute(const std::string& name) const;
  uint32_t layers_of(const std::string& name) const;
  uint32_t segments_of(const std::string& name) const; // Of the decoder's stack, which every model has.
  void cut();
  void cut(bool of_encoder, uint32_t layers, const std::vector<std::string>& by);

  placements_config config_;
  std::map<std::string, worker> workers_;
  std::vector<segment_place> segments_; // Empty until the first cut.
  int64_t first_ready_ns_ = -1;
};

} // namespace troupe
