#pragma once
// The loss of a training run, read from RUN/metrics.jsonl (docs/training.md) while another process writes it.
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace troupe::service {

struct loss_point {
  uint64_t update = 0;
  double loss = 0; // Nats per token.
  bool operator==(const loss_point&) const = default;
};

/// So few points that they can be sent and drawn: of a longer run, each is the mean of equally many updates, at the last of them.
class loss_curve_points {
public:
  static constexpr size_t most = 2048;

  /// Returns whether earlier points changed: two became one.
  bool add(loss_point point);
  const std::vector<loss_point>& points() const { return points_; }

private:
  std::vector<loss_point> points_;
  double sum_ = 0;                 // Of the updates for the next point,
  uint64_t count_ = 0, width_ = 1; // how many there are, and how many it is made of.
};

/// What is known of a run.
struct training_facts {
  uint64_t edition = 0; // Points of one edition only grow in number.
  std::vector<loss_point> training, validation;
  // The newest ones.
  uint64_t update = 0;
  double loss = 0, accuracy = 0, tokens_per_second = 0;
  bool operator==(const training_facts&) const = default;
};

/// Not thread-safe. Lines that are no figures of a run are passed over.
class training_run {
public:
  /// The file need not be there yet.
  explicit training_run(std::filesystem::path folder);

  const std::string& name() const { return name_; }
  /// Reads what has been written since the last call, at most bytes_at_once of it. A run that was resumed from an earlier update has
  /// written its file anew: it is read from its begin.
  training_facts read();

  static constexpr size_t bytes_at_once = 8 << 20, line_bytes_max = 1 << 16;

private:
  void begin();
  void take_line(std::string_view line);

  std::filesystem::path file_;
  std::string name_, rest_; // rest_: a line that has no end yet.
  bool skips_line_ = false; // It is too long.
  std::pair<uint64_t, uint64_t> identity_; // Device and inode of what was read up to offset_.
  uint64_t offset_ = 0;
  loss_curve_points training_, validation_;
  training_facts facts_; // Without the points.
};

} // namespace troupe::service
