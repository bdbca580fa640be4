#pragma once
// How training goes on, for a person or a program to follow: a line for each epoch, redrawn in place on a terminal, or JSON lines.
//
//   Epoch 2/10  123/400 [=======>......]  1:05 left  152 ms/step  5.2 k tok/s  loss 2.3456  acc 0.412  rate 3.0e-04  norm 0.87
//   Epoch 2/10  400/400 [====]  61 s  152 ms/step  5.2 k tok/s  loss 2.1034  acc 0.450  val_loss 2.2000  val_ppl 9.03  val_acc 0.440
//
// | field        | what                                                                                                          |
// |--------------|---------------------------------------------------------------------------------------------------------------|
// | 1:05 left    | of this epoch: the steps to come, at the mean time of those that count                                        |
// | 61 s         | from begin_epoch to end_epoch, with all that came between                                                     |
// | ms/step      | mean of the steps of this epoch that count: from the end of the step before (or of a validation) to its end   |
// | tok/s        | rows of the steps that count in that time                                                                     |
// | loss, acc    | means over all targets of the epoch so far that this process has seen; acc: share of targets that were hit    |
// | rate, norm   | of the latest step: learning rate, norm of the gradient before clipping                                       |
// | N recoveries | attempts of steps of this epoch that failed and were made up for; not shown if there were none                |
// | val_...      | means over all targets of the validation; val_ppl: e^val_loss                                                 |
//
// All steps count but the first of the process, which warms up, and those that took more than one attempt, which contain what was
// replayed. If none counts, all do once the epoch is over. What is not finite is shown as nan, inf or -inf.
//
// The class has no clock and no terminal of its own: the caller says what time it is, and takes the text. One thread at a time.
#include "actors/training_engine.hpp"
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace troupe {

/// Means over targets, summed up step by step.
struct target_means {
  double loss_sum = 0; // Over all targets.
  uint64_t targets = 0, hits = 0;

  void add(const training_figures& figures);
  double loss() const;       // Not a number if there are no targets,
  double accuracy() const;   // nor here,
  double perplexity() const; // nor here.
};

enum class progress_mode {
  terminal, // One line redrawn in place, at most every 50 ms; no line is wider than the terminal.
  lines,    // For files and pipes: one line for each epoch and validation, and one every 10 seconds.
  json,     // One object a line for each step and validation.
  none,
};

struct progress_options {
  progress_mode mode = progress_mode::lines;
  uint32_t columns = 80; // Of the terminal. Its last one stays free, so that no terminal wraps the line.
};

/// Takes a piece of text at a time: whole lines, or in mode terminal what redraws one.
using progress_writer = std::function<void(std::string_view text)>;

/// Where little room is, fields are left out: norm, rate, tok/s and ms/step first, then the bar. A finished line that is too long puts its
/// validation on a line below.
///
/// JSON: null stands for what is not finite. Members of a step:
///   event          "step"
///   epoch, epochs  counted from 1
///   step, steps    of the epoch, counted from 1
///   update         how many updates the weights have had
///   loss, accuracy of this step's targets; epoch_loss, epoch_accuracy: of all the epoch's so far
///   targets, rows  of this step
///   rate, gradient_norm
///   seconds        from the end of the step before (or of a validation, or the start of the epoch) to its end
///   attempts       1, or more if it was done again after a fault
/// Members of a validation: event "validation", epoch, epochs, step, steps, update (all of the latest step), loss, perplexity, accuracy,
/// targets, seconds (since the latest step or validation).
class training_progress {
public:
  using time_point = std::chrono::steady_clock::time_point;

  training_progress(const progress_options& options, progress_writer write);
  ~training_progress(); // Ends the line that was being redrawn, so that what the program says next stands on a line of its own.
  training_progress(const training_progress&) = delete;
  training_progress& operator=(const training_progress&) = delete;

  /// `epoch` counts from 1. `steps_done`: where an epoch that was interrupted goes on.
  void begin_epoch(time_point now, uint64_t epoch, uint64_t epochs, uint64_t steps, uint64_t steps_done = 0);
  /// A step is done.
  void step(time_point now, const training_figures& figures);
  /// A validation within the epoch is done: it gets a line of its own above the bar. Its time is not that of a step.
  void validation(time_point now, const target_means& means);
  void end_epoch(time_point now, const std::optional<target_means>& validation = std::nullopt);

  /// Lets the time left go down while a step takes long. As often as you like: it is drawn at most every 50 ms.
  void tick(time_point now);
  /// Wipes the line, so that you can write lines of your own; the next call here draws it again.
  void clear();
  void resize(uint32_t columns) { options_.columns = columns; }

private:
  struct counted_steps { // Those that count for the estimate.
    uint64_t steps = 0, rows = 0;
    std::chrono::nanoseconds time{0};
  };
  std::string epoch_head() const;
  std::string running_line(time_point now);
  std::string finished_line(time_point now, const std::optional<target_means>& validation) const;
  void draw(time_point now);
  void write_above(const std::string& line);
  void write_validation_json(time_point now, const target_means& means);
  double seconds_since_mark(time_point now) const;

  progress_options options_;
  progress_writer write_;
  uint64_t epoch_ = 0, epochs_ = 0, steps_ = 0, done_ = 0; // Of the epoch.
  time_point epoch_began_{}, mark_{};                      // mark_: when what came before the step under way was over.
  counted_steps counted_, all_, before_;                   // before_: those of an earlier epoch, until one of this counts.
  target_means means_;
  std::optional<training_figures> latest_;
  uint64_t recoveries_ = 0;
  bool warm_ = false, in_epoch_ = false;
  uint32_t bar_cells_ = 0; // The bar only gets shorter within an epoch, so that it does not flicker.
  std::string drawn_;      // What stands in the line that is redrawn.
  std::optional<time_point> last_drawn_;
};

} // namespace troupe
