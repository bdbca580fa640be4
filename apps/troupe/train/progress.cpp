#include "apps/troupe/train/progress.hpp"
#include "apps/troupe/cli/columns.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

namespace troupe {
namespace {

using json = nlohmann::ordered_json;
using namespace std::chrono_literals;

constexpr auto redraw_interval = 50ms;
constexpr auto line_interval = 10s;
constexpr size_t bar_cells_max = 30, bar_cells_min = 8, bar_cells_finished = 4;
constexpr std::string_view wipe = "\r\x1b[K"; // To the line's beginning, and erase it.

// Numbers ------------------------------------------------------------------------------------------------------------

double seconds_in(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

/// printf's text, but "nan" without a sign.
std::string number_text(const char* format, double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string loss_text(double loss) { return number_text(std::abs(loss) < 1e4 ? "%.4f" : "%.3e", loss); }
std::string perplexity_text(double value) {
  return number_text(value < 100 ? "%.2f" : value < 1000 ? "%.1f" : value < 1e6 ? "%.0f" : "%.1e", value);
}
std::string norm_text(double norm) { return number_text(norm >= 0.01 && norm < 1e4 ? "%.2f" : "%.1e", norm); }

/// 0:07, 1:05, 2:01:05.
std::string clock_text(double seconds) {
  const auto whole = static_cast<unsigned long long>(std::clamp(seconds, 0.0, 1e9) + 0.5);
  char text[64];
  if (whole < 3600)
    std::snprintf(text, sizeof text, "%llu:%02llu", whole / 60, whole % 60);
  else
    std::snprintf(text, sizeof text, "%llu:%02llu:%02llu", whole / 3600, whole / 60 % 60, whole % 60);
  return text;
}

/// 6.1 s, 61 s; from ten minutes on 12:34.
std::string duration_text(double seconds) {
  if (seconds >= 599.5) return clock_text(seconds);
  return number_text(seconds < 9.95 ? "%.1f s" : "%.0f s", seconds);
}

std::string step_time_text(double seconds) {
  const double ms = 1000 * seconds;
  if (ms >= 9999.5) return number_text("%.1f s/step", seconds);
  return number_text(ms < 0.995 ? "%.2f ms/step" : ms < 9.95 ? "%.1f ms/step" : "%.0f ms/step", ms);
}

std::string speed_text(double per_second) {
  if (per_second < 999.5) return number_text(per_second < 9.95 ? "%.1f tok/s" : "%.0f tok/s", per_second);
  const double thousands = per_second / 1e3;
  if (thousands < 999.5) return number_text(thousands < 99.95 ? "%.1f k tok/s" : "%.0f k tok/s", thousands);
  return number_text("%.1f M tok/s", per_second / 1e6);
}

std::string recoveries_text(uint64_t count) { return std::to_string(count) + (count == 1 ? " recovery" : " recoveries"); }

json finite_or_null(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }

// Lines --------------------------------------------------------------------------------------------------------------

/// How soon a field is left out where room is short: the largest first.
enum class field_rank { loss, left, recoveries, accuracy, bar, step_time, speed, rate, norm };

struct line_field {
  field_rank rank;
  std::string text;
};

struct line_layout {
  std::string head;
  double share = 0; // Of the bar.
  bool bar = true;
  size_t cells_min = bar_cells_min, cells_max = bar_cells_max;
  std::vector<line_field> fields;
};

std::string bar_text(double share, size_t cells) {
  const auto full = std::min(cells, static_cast<size_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(cells)));
  std::string text = "[" + std::string(full, '=');
  if (full < cells) text += share > 0 ? '>' : '.';
  return text.append(cells - std::min(cells, full + 1), '.') + "]";
}

size_t columns_without_bar(const line_layout& line) {
  size_t columns = terminal_columns(line.head);
  for (const auto& field : line.fields) columns += 2 + terminal_columns(field.text);
  return columns;
}

/// The line in `columns`: leaves out fields until the rest fits. `cells`: how long the bar became; 0: left out.
std::string fitted(line_layout line, size_t columns, size_t& cells) {
  constexpr size_t around_bar = 3; // " [" and "]"
  for (;;) {
    const size_t taken = columns_without_bar(line);
    const size_t room = columns > taken + around_bar ? columns - taken - around_bar : 0;
    cells = line.bar && room >= line.cells_min ? std::min(room, line.cells_max) : 0;
    if (cells > 0 || (!line.bar && taken <= columns)) break;
    const auto last = std::max_element(line.fields.begin(), line.fields.end(),
                                       [](const auto& a, const auto& b) { return a.rank < b.rank; });
    if (line.bar && (last == line.fields.end() || last->rank < field_rank::bar))
      line.bar = false;
    else if (last != line.fields.end())
      line.fields.erase(last);
    else
      break;
  }
  std::string text = line.head;
  if (cells > 0) text += " " + bar_text(line.share, cells);
  for (const auto& field : line.fields) text += "  " + field.text;
  return cut_to_columns(text, columns);
}

/// What a line may take of a terminal.
size_t columns_of_line(const progress_options& options) {
  if (options.mode != progress_mode::terminal) return std::numeric_limits<size_t>::max();
  return options.columns > 0 ? options.columns - 1 : 0;
}

std::vector<line_field> validation_fields(const target_means& means) {
  return {{field_rank::loss, "val_loss " + loss_text(means.loss())},
          {field_rank::accuracy, "val_ppl " + perplexity_text(means.perplexity())},
          {field_rank::accuracy, "val_acc " + number_text("%.3f", means.accuracy())}};
}

/// Ends a redrawn line. For destructors: a terminal that is gone is not worth ending the program.
void end_drawn_line(const progress_writer& write, const std::string& drawn) {
  if (drawn.empty()) return;
  try {
    write("\n");
  } catch (...) {
  }
}

} // namespace

// Training -----------------------------------------------------------------------------------------------------------

void target_means::add(const training_figures& figures) {
  if (figures.targets == 0) return; // Its loss is a mean over nothing.
  loss_sum += figures.loss * static_cast<double>(figures.targets);
  targets += figures.targets;
  hits += figures.hits;
}

double target_means::loss() const {
  return targets > 0 ? loss_sum / static_cast<double>(targets) : std::numeric_limits<double>::quiet_NaN();
}
double target_means::accuracy() const {
  return targets > 0 ? static_cast<double>(hits) / static_cast<double>(targets) : std::numeric_limits<double>::quiet_NaN();
}
double target_means::perplexity() const { return std::exp(loss()); }

training_progress::training_progress(const progress_options& options, progress_writer write)
  : options_(options), write_(std::move(write)) {}

training_progress::~training_progress() { end_drawn_line(write_, drawn_); }

void training_progress::begin_epoch(time_point now, uint64_t epoch, uint64_t epochs, uint64_t steps, uint64_t steps_done) {
  if (counted_.steps > 0) before_ = counted_;
  counted_ = all_ = {};
  means_ = {};
  latest_.reset();
  recoveries_ = 0;
  epoch_ = epoch, epochs_ = epochs, steps_ = steps, done_ = steps_done;
  epoch_began_ = mark_ = now;
  bar_cells_ = bar_cells_max;
  in_epoch_ = true;
  last_drawn_.reset();
  if (options_.mode == progress_mode::lines) last_drawn_ = now; // The first line is due in a while.
  if (options_.mode == progress_mode::terminal) draw(now);
}

double training_progress::seconds_since_mark(time_point now) const { return seconds_in(std::max(now - mark_, time_point::duration{0})); }

void training_progress::step(time_point now, const training_figures& figures) {
  TROUPE_ASSERT(in_epoch_);
  ++done_;
  means_.add(figures);
  latest_ = figures;
  recoveries_ += figures.attempts - std::min<uint64_t>(figures.attempts, 1);
  const auto add = [&](counted_steps& steps) {
    ++steps.steps;
    steps.rows += figures.rows;
    steps.time += std::max(now - mark_, time_point::duration{0});
  };
  add(all_);
  if (warm_ && figures.attempts <= 1) add(counted_);
  warm_ = true;
  if (options_.mode == progress_mode::json) {
    json line = {{"event", "step"}, {"epoch", epoch_}, {"epochs", epochs_}, {"step", done_}, {"steps", steps_},
                 {"update", figures.update}, {"loss", finite_or_null(figures.loss)}};
    const double hit_share = static_cast<double>(figures.hits) / static_cast<double>(figures.targets);
    line["accuracy"] = finite_or_null(hit_share); // None without targets.
    line["epoch_loss"] = finite_or_null(means_.loss());
    line["epoch_accuracy"] = finite_or_null(means_.accuracy());
    line["targets"] = figures.targets;
    line["rows"] = figures.rows;
    line["rate"] = finite_or_null(figures.rate);
    line["gradient_norm"] = finite_or_null(figures.gradient_norm);
    line["seconds"] = seconds_since_mark(now);
    line["attempts"] = figures.attempts;
    write_(line.dump() + "\n");
  }
  mark_ = now;
  draw(now);
}

void training_progress::validation(time_point now, const target_means& means) {
  TROUPE_ASSERT(in_epoch_);
  if (options_.mode == progress_mode::json) write_validation_json(now, means);
  size_t cells = 0;
  write_above(fitted({epoch_head(), 0, false, 0, 0, validation_fields(means)}, columns_of_line(options_), cells));
  mark_ = now;
  draw(now);
}

void training_progress::end_epoch(time_point now, const std::optional<target_means>& validation) {
  TROUPE_ASSERT(in_epoch_);
  if (validation && options_.mode == progress_mode::json) write_validation_json(now, *validation);
  write_above(finished_line(now, validation));
  mark_ = now;
  in_epoch_ = false;
}

void training_progress::tick(time_point now) {
  if (options_.mode == progress_mode::terminal && in_epoch_) draw(now);
}

void training_progress::clear() {
  if (drawn_.empty()) return;
  write_(wipe);
  drawn_.clear();
  last_drawn_.reset();
}

/// "Epoch 2/10   23/400", as wide with every step.
std::string training_progress::epoch_head() const {
  const std::string steps = std::to_string(steps_), done = std::to_string(done_), epochs = std::to_string(epochs_);
  const auto padded = [](const std::string& text, size_t columns) {
    return std::string(columns - std::min(columns, text.size()), ' ') + text;
  };
  return "Epoch " + padded(std::to_string(epoch_), epochs.size()) + "/" + epochs + "  " + padded(done, steps.size()) + "/" + steps;
}

std::string training_progress::running_line(time_point now) {
  line_layout line{epoch_head(), 0, options_.mode == progress_mode::terminal, bar_cells_min, bar_cells_, {}};
  if (steps_ > 0) line.share = static_cast<double>(done_) / static_cast<double>(steps_);
  const counted_steps& steps = counted_.steps > 0 ? counted_ : before_;
  if (steps.steps > 0) {
    const double each = seconds_in(steps.time) / static_cast<double>(steps.steps);
    const double left = each * static_cast<double>(steps_ - std::min(done_, steps_)) - std::min(each, seconds_since_mark(now));
    line.fields.push_back({field_rank::left, clock_text(left) + " left"});
    line.fields.push_back({field_rank::step_time, step_time_text(each)});
    if (steps.time > 0s)
      line.fields.push_back({field_rank::speed, speed_text(static_cast<double>(steps.rows) / seconds_in(steps.time))});
  }
  if (means_.targets > 0) {
    line.fields.push_back({field_rank::loss, "loss " + loss_text(means_.loss())});
    line.fields.push_back({field_rank::accuracy, "acc " + number_text("%.3f", means_.accuracy())});
  }
  if (latest_) {
    line.fields.push_back({field_rank::rate, "rate " + number_text("%.1e", latest_->rate)});
    line.fields.push_back({field_rank::norm, "norm " + norm_text(latest_->gradient_norm)});
  }
  if (recoveries_ > 0) line.fields.push_back({field_rank::recoveries, recoveries_text(recoveries_)});
  size_t cells = 0;
  const std::string text = fitted(std::move(line), columns_of_line(options_), cells);
  if (cells > 0) bar_cells_ = static_cast<uint32_t>(cells);
  return text;
}

std::string training_progress::finished_line(time_point now, const std::optional<target_means>& validation) const {
  const bool terminal = options_.mode == progress_mode::terminal;
  line_layout line{epoch_head(), 1, terminal, bar_cells_finished, bar_cells_finished, {}};
  line.share = steps_ > 0 ? static_cast<double>(done_) / static_cast<double>(steps_) : 1;
  line.fields.push_back({field_rank::left, duration_text(seconds_in(now - epoch_began_))});
  const counted_steps& steps = counted_.steps > 0 ? counted_ : all_;
  if (steps.steps > 0)
    line.fields.push_back({field_rank::step_time, step_time_text(seconds_in(steps.time) / static_cast<double>(steps.steps))});
  if (steps.time > 0s)
    line.fields.push_back({field_rank::speed, speed_text(static_cast<double>(steps.rows) / seconds_in(steps.time))});
  if (means_.targets > 0) {
    line.fields.push_back({field_rank::loss, "loss " + loss_text(means_.loss())});
    line.fields.push_back({field_rank::accuracy, "acc " + number_text("%.3f", means_.accuracy())});
  }
  if (recoveries_ > 0) line.fields.push_back({field_rank::recoveries, recoveries_text(recoveries_)});
  const size_t columns = columns_of_line(options_);
  size_t cells = 0;
  if (!validation) return fitted(line, columns, cells);
  const auto below = validation_fields(*validation);
  line_layout together = line;
  together.fields.insert(together.fields.end(), below.begin(), below.end());
  const size_t bar = terminal ? bar_cells_finished + 3 : 0;
  if (columns_without_bar(together) + bar <= columns) return fitted(together, columns, cells);
  // The indentation is that of the first line's figures, less the two blanks before each.
  const size_t indentation = std::min<size_t>(line.head.find('/') + 1 + std::to_string(epochs_).size(), columns / 4);
  return fitted(line, columns, cells) + "\n" + fitted({std::string(indentation, ' '), 0, false, 0, 0, below}, columns, cells);
}

void training_progress::draw(time_point now) {
  if (options_.mode == progress_mode::terminal) {
    if (!drawn_.empty() && last_drawn_ && now - *last_drawn_ < redraw_interval) return;
    const std::string line = running_line(now);
    last_drawn_ = now;
    if (line == drawn_) return;
    write_(std::string(wipe) + line);
    drawn_ = line;
  } else if (options_.mode == progress_mode::lines) {
    if (done_ >= steps_ || now - *last_drawn_ < line_interval) return; // The epoch's own line comes at once.
    write_(running_line(now) + "\n");
    last_drawn_ = now;
  }
}

void training_progress::write_above(const std::string& line) {
  if (options_.mode != progress_mode::terminal && options_.mode != progress_mode::lines) return;
  write_((drawn_.empty() ? std::string() : std::string(wipe)) + line + "\n"); // One write, so that nothing comes between.
  drawn_.clear();
}

void training_progress::write_validation_json(time_point now, const target_means& means) {
  json line = {{"event", "validation"}, {"epoch", epoch_}, {"epochs", epochs_}, {"step", done_}, {"steps", steps_}};
  line["update"] = latest_ ? json(latest_->update) : json(nullptr);
  line["loss"] = finite_or_null(means.loss());
  line["perplexity"] = finite_or_null(means.perplexity());
  line["accuracy"] = finite_or_null(means.accuracy());
  line["targets"] = means.targets;
  line["seconds"] = seconds_since_mark(now);
  write_(line.dump() + "\n");
}

} // namespace troupe
