#pragma once
// RUN/metrics.jsonl: a line for each step and each validation. compute_seconds: inside the code of model/, summed over all actors.
#include "actors/training_engine.hpp"
#include "apps/troupe/train/loss_curve.hpp"
#include <filesystem>
#include <fstream>
#include <string>

namespace troupe {

struct validation_figures {
  uint64_t update = 0;
  double loss = 0; // Mean over the targets: nats per token.
  uint64_t targets = 0, hits = 0;
  bool is_best = false;
};

class metrics_file {
public:
  /// Keeps the lines of an earlier run up to `update`; those after it will be written again.
  metrics_file(std::filesystem::path path, uint64_t update);
  void add(const training_figures& figures);
  void add(const validation_figures& figures);
  const loss_history& history() const { return history_; } // Everything so far.

private:
  void write(const std::string& line);

  std::filesystem::path path_;
  std::ofstream file_;
  loss_history history_;
};

} // namespace troupe
