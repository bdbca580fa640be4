#include "apps/troupe/train/loss_curve.hpp"
#include "model/utf8.hpp"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

namespace troupe {
namespace {

constexpr double loss_limit = 1e9;           // Beyond it is diverged.
constexpr size_t points_per_neighbour = 100; // A mean is over a hundredth of all to each side.

bool is_on_axis(double loss) { return std::isfinite(loss) && std::abs(loss) <= loss_limit; }

/// In the order of steps, the last of each.
std::vector<curve_point> in_order(std::vector<curve_point> points) {
  std::stable_sort(points.begin(), points.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  std::vector<curve_point> result;
  for (const auto& point : points) {
    if (!result.empty() && result.back().step == point.step)
      result.back() = point;
    else
      result.push_back(point);
  }
  return result;
}

/// The means over neighbours; a point that is not on the axis stays as it is, and is in no mean.
std::vector<curve_point> smoothed(const std::vector<curve_point>& points) {
  std::vector<double> sums{0};
  std::vector<size_t> counts{0};
  for (const auto& point : points) {
    sums.push_back(sums.back() + (is_on_axis(point.loss) ? point.loss : 0));
    counts.push_back(counts.back() + (is_on_axis(point.loss) ? 1 : 0));
  }
  std::vector<curve_point> result = points;
  const size_t radius_max = points.size() / points_per_neighbour;
  for (size_t i = 0; i < points.size(); ++i) {
    if (!is_on_axis(points[i].loss)) continue;
    const size_t radius = std::min(i, radius_max), first = i - radius, end = std::min(points.size(), i + radius + 1);
    if (radius > 0) result[i].loss = (sums[end] - sums[first]) / static_cast<double>(counts[end] - counts[first]);
  }
  return result;
}

/// A linear axis from `low` to `high`, marked every `step`.
struct linear_axis {
  double low = 0, high = 1, step = 1;
  int decimals = 0; // Of the marks.

  double share(double value) const { return std::clamp((value - low) / (high - low), 0.0, 1.0); }
  std::vector<double> marks() const {
    std::vector<double> values;
    const auto first = static_cast<int64_t>(std::ceil(low / step - 1e-6)), last = static_cast<int64_t>(std::floor(high / step + 1e-6));
    for (int64_t i = first; i <= last; ++i) values.push_back(static_cast<double>(i) * step);
    return values;
  }
  std::string mark_text(double value) const {
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", decimals, std::abs(value) < step / 2 ? 0.0 : value);
    return text;
  }
};

/// With at most `marks` marks, at distances of 1, 2 or 5 times a power of ten, and not below `step_min`.
linear_axis axis_over(double low, double high, size_t marks, double step_min = 0) {
  linear_axis axis{low, high, 1, 0};
  const double wanted = std::max((high - low) / static_cast<double>(std::max<size_t>(marks, 1)), step_min);
  int exponent = static_cast<int>(std::floor(std::log10(wanted)));
  const auto step_of = [](int factor, int power) {
    return power >= 0 ? factor * std::pow(10.0, power) : factor / std::pow(10.0, -power);
  };
  int factor = 10;
  for (const int candidate : {1, 2, 5})
    if (step_of(candidate, exponent) >= wanted * (1 - 1e-9)) {
      factor = candidate;
      break;
    }
  axis.step = step_of(factor, exponent);
  if (factor == 10) ++exponent;
  axis.decimals = std::max(0, -exponent);
  return axis;
}

/// All that is drawn, ready for any picture.
struct curve_picture {
  std::vector<curve_point> training, curve, validation;
  std::vector<uint64_t> diverged; // Steps, of both.
  double first_step = 0, last_step = 1, low = 0, high = 1;
  std::optional<double> begins_at; // The curve, above what the axis holds.

  bool is_empty() const { return training.empty() && validation.empty(); }
  bool is_smoothed() const { return training.size() >= points_per_neighbour; }
};

struct value_range {
  std::optional<double> low, high;

  void add(double value) {
    low = std::min(low.value_or(value), value);
    high = std::max(high.value_or(value), value);
  }
};

/// What the points from `step` on take: means and validations all, single values but a two-hundredth at either end.
value_range range_from(const curve_picture& picture, uint64_t step) {
  value_range range;
  std::vector<double> single;
  for (const auto* points : {&picture.curve, &picture.validation})
    for (const auto& point : *points)
      if (point.step >= step && is_on_axis(point.loss)) range.add(point.loss);
  for (const auto& point : picture.training)
    if (point.step >= step && is_on_axis(point.loss)) single.push_back(point.loss);
  if (single.empty()) return range;
  std::sort(single.begin(), single.end());
  range.add(single[single.size() / 200]);
  range.add(single[single.size() - 1 - single.size() / 200]);
  return range;
}

void set_loss_axis(curve_picture& picture) {
  const value_range all = range_from(picture, 0);
  picture.low = all.low.value_or(0);
  picture.high = all.high.value_or(1);
  if (picture.is_smoothed()) {
    const value_range rest = range_from(picture, picture.training[picture.training.size() / 20].step);
    if (rest.high) picture.high = std::min(picture.high, picture.low + 2 * (*rest.high - picture.low));
  }
  const double middle = (picture.low + picture.high) / 2;
  const double least = std::max(1e-6, 1e-3 * std::abs(middle)); // Else rounding is what is seen.
  if (picture.high - picture.low < least) {
    picture.low = middle - least / 2;
    picture.high = middle + least / 2;
  }
  const double margin = 0.04 * (picture.high - picture.low);
  picture.low -= picture.low >= 0 ? std::min(margin, picture.low) : margin; // A loss has its zero: no axis goes below without need.
  picture.high += margin;
  if (!picture.curve.empty() && is_on_axis(picture.curve.front().loss) && picture.curve.front().loss > picture.high)
    picture.begins_at = picture.curve.front().loss;
}

std::string rounded_loss(double loss) {
  char text[64];
  std::snprintf(text, sizeof text, "%.2f", loss);
  return text;
}

curve_picture picture_of(const loss_history& history) {
  curve_picture picture;
  picture.training = in_order(history.training);
  picture.curve = smoothed(picture.training);
  picture.validation = in_order(history.validation);
  for (const auto* points : {&picture.training, &picture.validation})
    for (const auto& point : *points)
      if (!is_on_axis(point.loss)) picture.diverged.push_back(point.step);
  std::sort(picture.diverged.begin(), picture.diverged.end());
  picture.diverged.erase(std::unique(picture.diverged.begin(), picture.diverged.end()), picture.diverged.end());

  std::optional<uint64_t> first, last;
  for (const auto* points : {&picture.training, &picture.validation})
    if (!points->empty()) {
      first = std::min(first.value_or(UINT64_MAX), points->front().step);
      last = std::max(last.value_or(0), points->back().step);
    }
  // A run begins at its beginning, unless it went on from far behind it.
  picture.first_step = static_cast<double>(first.value_or(0));
  picture.last_step = static_cast<double>(last.value_or(1));
  if (picture.first_step < 0.05 * picture.last_step) picture.first_step = 0;
  if (picture.last_step - picture.first_step < 1) picture.last_step = picture.first_step + std::max(1.0, 1e-12 * picture.first_step);

  set_loss_axis(picture);
  return picture;
}

// SVG ----------------------------------------------------------------------------------------------------------------

constexpr double svg_width = 800, svg_height = 450;
constexpr double plot_left = 72, plot_right = 772, plot_top = 64, plot_bottom = 402;
constexpr double digit_width = 7.5; // Or less, in all fonts.
constexpr double coarse = 2; // Pixels across to tell apart in what is dotted; one in lines. At most 59 KB follow from that.
constexpr size_t title_characters_max = 80;

constexpr const char* curve_style = R"(<style>
text { font: 12px system-ui, sans-serif; fill: #5b6473; }
.title { font-size: 16px; font-weight: 600; fill: #1c2330; }
.paper { fill: #ffffff; } .grid { stroke: #e3e7ed; } .axis { stroke: #8a94a3; }
path { fill: none; stroke-linejoin: round; stroke-linecap: round; }
.single { stroke: #bfd3ee; stroke-width: 1; } .curve { stroke: #1f5fae; stroke-width: 2; }
.validation { stroke: #d9730d; stroke-width: 1; } .points { stroke: #d9730d; stroke-width: 7; }
.diverged { stroke: #c62828; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
text { fill: #9aa5b5; } .title { fill: #e4e8ee; }
.paper { fill: #14181f; } .grid { stroke: #2a313c; } .axis { stroke: #5b6473; }
.single { stroke: #36506f; } .curve { stroke: #8ab8f2; }
.validation, .points { stroke: #f2a65a; } .diverged { stroke: #ff6b6b; }
}
</style>
)";

/// One decimal is a tenth of a pixel.
std::string pixels(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.1f", value);
  std::string result = text;
  if (result.ends_with(".0")) result.resize(result.size() - 2);
  return result == "-0" ? "0" : result;
}

/// Characters that XML has no place for become U+FFFD, as invalid bytes do.
std::string xml_text(std::string_view plain) {
  utf8_stream stream;
  const std::string text = stream.push(plain) + stream.finish();
  std::string out;
  size_t characters = 0;
  for (size_t at = 0; at < text.size(); ++characters) {
    if (characters == title_characters_max) return out + "…";
    const std::string_view character = std::string_view(text).substr(at, utf8_next(text, at).bytes);
    const uint32_t c = utf8_code_point(character);
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '"') out += "&quot;";
    else if (c == '\t' || c == '\n' || c == '\r') out += ' ';
    else if (c < 0x20 || c == 0xFFFE || c == 0xFFFF) out += "\uFFFD";
    else out += character;
    at += character.size();
  }
  return out;
}

struct svg_canvas {
  linear_axis steps, losses;
  std::string out;

  double x(uint64_t step) const { return plot_left + steps.share(static_cast<double>(step)) * (plot_right - plot_left); }
  double y(double loss) const { return plot_bottom - losses.share(loss) * (plot_bottom - plot_top); }

  void text(double at_x, double at_y, const char* anchor, const std::string& content, const char* more = "") {
    out += "<text x=\"" + pixels(at_x) + "\" y=\"" + pixels(at_y) + "\" text-anchor=\"" + anchor + "\"" + more + ">" + content
           + "</text>\n";
  }
  void line(const char* kind, double x1, double y1, double x2, double y2) {
    out += std::string("<path class=\"") + kind + "\" d=\"M" + pixels(x1) + " " + pixels(y1) + "L" + pixels(x2) + " " + pixels(y2)
           + "\"/>\n";
  }
  void path(const char* kind, const std::string& data) {
    if (!data.empty()) out += std::string("<path class=\"") + kind + "\" d=\"" + data + "\"/>\n";
  }
};

/// In which strip of the picture, `wide` pixels across, a step lies.
double strip_of(const svg_canvas& canvas, uint64_t step, double wide) { return std::floor(canvas.x(step) / wide); }

/// A line through the points, with gaps. Of the points within a strip: the lowest and the highest, in their order.
std::string line_data(const svg_canvas& canvas, const std::vector<curve_point>& points, double strip_width = 1) {
  std::string data;
  bool pen_down = false;
  const auto add = [&](const curve_point& point) {
    data += (pen_down ? "L" : "M") + pixels(canvas.x(point.step)) + " " + pixels(canvas.y(point.loss));
    if (!pen_down) data += "h0"; // A point that is alone is a dot, by its round ends.
    pen_down = true;
  };
  for (size_t i = 0; i < points.size();) {
    const double strip = strip_of(canvas, points[i].step, strip_width);
    std::optional<size_t> low, high, gap;
    size_t end = i;
    for (; end < points.size() && strip_of(canvas, points[end].step, strip_width) == strip; ++end) {
      if (!is_on_axis(points[end].loss)) {
        gap = end;
        continue;
      }
      if (!low || points[end].loss < points[*low].loss) low = end;
      if (!high || points[end].loss > points[*high].loss) high = end;
    }
    if (gap && (!low || *gap < std::min(*low, *high))) pen_down = false;
    if (low) {
      add(points[std::min(*low, *high)]);
      if (low != high) add(points[std::max(*low, *high)]);
    }
    if (gap && low && *gap > std::min(*low, *high)) pen_down = false;
    i = end;
  }
  return data;
}

/// A dot for each; of those within a strip, the last.
std::string dots_data(const svg_canvas& canvas, const std::vector<curve_point>& points, double strip_width) {
  std::string data;
  std::optional<curve_point> waiting;
  const auto put = [&] {
    if (waiting) data += "M" + pixels(canvas.x(waiting->step)) + " " + pixels(canvas.y(waiting->loss)) + "h0";
  };
  for (const auto& point : points) {
    if (!is_on_axis(point.loss)) continue;
    if (waiting && strip_of(canvas, waiting->step, strip_width) != strip_of(canvas, point.step, strip_width)) put();
    waiting = point;
  }
  put();
  return data;
}

/// A short line at the top for each step; one for a strip.
std::string diverged_data(const svg_canvas& canvas, const std::vector<uint64_t>& steps, double strip_width) {
  std::string data;
  double before = -1;
  for (const uint64_t step : steps) {
    const double strip = strip_of(canvas, step, strip_width);
    if (strip == before) continue;
    before = strip;
    data += "M" + pixels(canvas.x(step)) + " " + pixels(plot_top) + "v8";
  }
  return data;
}

void draw_axes(svg_canvas& canvas) {
  for (const double mark : canvas.losses.marks()) {
    const double at = canvas.y(mark);
    canvas.line("grid", plot_left, at, plot_right, at);
    canvas.text(plot_left - 8, at + 4, "end", canvas.losses.mark_text(mark));
  }
  for (const double mark : canvas.steps.marks()) {
    const double at = plot_left + canvas.steps.share(mark) * (plot_right - plot_left);
    canvas.line("grid", at, plot_top, at, plot_bottom);
    const std::string text = canvas.steps.mark_text(mark);
    const bool is_long = at + digit_width / 2 * static_cast<double>(text.size()) > svg_width;
    canvas.text(is_long ? svg_width - 4 : at, plot_bottom + 18, is_long ? "end" : "middle", text);
  }
  canvas.line("axis", plot_left, plot_bottom, plot_right, plot_bottom);
  canvas.line("axis", plot_left, plot_top, plot_left, plot_bottom);
  canvas.text((plot_left + plot_right) / 2, svg_height - 10, "middle", "step");
  canvas.text(16, (plot_top + plot_bottom) / 2, "middle", "loss", " transform=\"rotate(-90 16 233)\"");
}

/// From the right, above the plot: what is in the picture.
void draw_legend(svg_canvas& canvas, const curve_picture& picture) {
  double right = plot_right;
  const auto entry = [&](const char* kind, const std::string& name, double width, double symbol) {
    canvas.text(right, 52, "end", name);
    right -= width;
    canvas.path(kind, "M" + pixels(right - 8 - symbol) + " 48h" + pixels(symbol));
    right -= 26 + symbol;
  };
  if (!picture.diverged.empty()) entry("diverged", "diverged", 52, 16);
  if (!picture.validation.empty()) entry("points", "validation", 60, 0);
  if (!picture.training.empty()) entry("curve", picture.is_smoothed() ? "training, mean" : "training", picture.is_smoothed() ? 88 : 50, 16);
  if (picture.is_smoothed()) entry("single", "single steps", 74, 16);
  if (picture.begins_at) canvas.text(plot_left + 40, plot_top + 14, "start", "from " + rounded_loss(*picture.begins_at));
}

// Text ---------------------------------------------------------------------------------------------------------------

/// Dots that become characters, two across and four down for each. Without braille a character has one dot.
class dot_canvas {
public:
  dot_canvas(size_t columns, size_t rows, bool ascii)
    : columns_(columns), rows_(rows), across_(ascii ? 1 : 2), down_(ascii ? 1 : 4), cells_(columns * rows, 0),
      marks_(columns * rows, 0) {}

  size_t dots_across() const { return columns_ * across_; }
  size_t dots_down() const { return rows_ * down_; }
  void dot(size_t x, size_t y) { cells_[cell(x, y)] |= static_cast<uint8_t>(1u << (y % down_ * across_ + x % across_)); }
  void mark(size_t x, size_t y, char mark) { marks_[cell(x, y)] = mark; }

  std::string row_text(size_t row) const {
    std::string text;
    for (size_t column = 0; column < columns_; ++column) {
      const size_t at = row * columns_ + column;
      if (marks_[at] != 0)
        text += marks_[at];
      else if (cells_[at] == 0)
        text += ' ';
      else if (down_ == 1)
        text += '*';
      else
        append_utf8(text, 0x2800 + braille(cells_[at]));
    }
    return text;
  }

private:
  size_t cell(size_t x, size_t y) const { return y / down_ * columns_ + x / across_; }
  /// Braille counts its dots down the left side, then the right, and the last row behind all.
  static uint32_t braille(uint8_t dots) {
    constexpr uint8_t bits[8] = {0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80};
    uint32_t pattern = 0;
    for (size_t i = 0; i < 8; ++i)
      if (dots >> i & 1) pattern |= bits[i];
    return pattern;
  }

  size_t columns_, rows_, across_, down_;
  std::vector<uint8_t> cells_;
  std::vector<char> marks_; // Stands for the whole character.
};

size_t dot_of(double share, size_t dots) { return static_cast<size_t>(std::lround(share * static_cast<double>(dots - 1))); }

void draw_dots(dot_canvas& canvas, const curve_picture& picture, const linear_axis& steps, const linear_axis& losses) {
  const auto x = [&](uint64_t step) { return dot_of(steps.share(static_cast<double>(step)), canvas.dots_across()); };
  const auto y = [&](double loss) { return dot_of(1 - losses.share(loss), canvas.dots_down()); };
  std::pair<size_t, size_t> before{0, 0};
  bool pen_down = false;
  for (const auto& point : picture.curve) {
    if (!is_on_axis(point.loss)) {
      pen_down = false;
      continue;
    }
    const std::pair here{x(point.step), y(point.loss)};
    const auto from = pen_down ? before : here;
    const auto distance = [](size_t a, size_t b) { return a > b ? a - b : b - a; };
    const size_t pieces = std::max<size_t>({1, distance(from.first, here.first), distance(from.second, here.second)});
    for (size_t i = 0; i <= pieces; ++i) {
      const double share = static_cast<double>(i) / static_cast<double>(pieces);
      const auto between = [&](size_t a, size_t b) {
        return static_cast<size_t>(std::lround(static_cast<double>(a) + share * (static_cast<double>(b) - static_cast<double>(a))));
      };
      canvas.dot(between(from.first, here.first), between(from.second, here.second));
    }
    before = here;
    pen_down = true;
  }
  for (const auto& point : picture.validation)
    if (is_on_axis(point.loss)) canvas.mark(x(point.step), y(point.loss), 'o');
  for (const uint64_t step : picture.diverged) canvas.mark(x(step), 0, '!');
}

/// A line of ASCII, brought to `width`.
std::string exactly(std::string text, size_t width) {
  text.resize(width, ' ');
  return text;
}

/// The labels of steps below the axis that do not touch each other, and where the axis is marked.
struct step_labels {
  std::string text;
  std::vector<size_t> marks;
};

step_labels labels_of(const linear_axis& steps, size_t left, size_t columns) {
  step_labels labels{std::string(left + columns, ' '), {}};
  size_t free_from = 0;
  for (const double mark : steps.marks()) {
    const std::string label = steps.mark_text(mark);
    const size_t at = left + dot_of(steps.share(mark), columns);
    size_t begin = at - std::min(at, label.size() / 2);
    begin = std::min(begin, left + columns - label.size()); // No label is longer: there are axes from 24 columns on.
    if (begin < free_from) continue;
    labels.text.replace(begin, label.size(), label);
    labels.marks.push_back(at - left);
    free_from = begin + label.size() + 1;
  }
  return labels;
}

} // namespace

std::string loss_curve_svg(const loss_history& history, std::string_view title) {
  const curve_picture picture = picture_of(history);
  svg_canvas canvas{axis_over(picture.first_step, picture.last_step, 10, 1), axis_over(picture.low, picture.high, 8), {}};
  const std::string name = xml_text(title);
  canvas.out = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + pixels(svg_width) + " " + pixels(svg_height) + "\" width=\""
               + pixels(svg_width) + "\" height=\"" + pixels(svg_height) + "\" role=\"img\">\n<title>" + name + "</title>\n" + curve_style
               + "<rect class=\"paper\" width=\"" + pixels(svg_width) + "\" height=\"" + pixels(svg_height) + "\"/>\n";
  canvas.text(plot_left, 28, "start", name, " class=\"title\"");
  draw_axes(canvas);
  if (picture.is_smoothed()) canvas.path("single", line_data(canvas, picture.training));
  canvas.path("curve", line_data(canvas, picture.curve));
  canvas.path("validation", line_data(canvas, picture.validation, coarse));
  canvas.path("points", dots_data(canvas, picture.validation, coarse));
  canvas.path("diverged", diverged_data(canvas, picture.diverged, coarse));
  if (picture.is_empty())
    canvas.text((plot_left + plot_right) / 2, (plot_top + plot_bottom) / 2, "middle", "no losses yet");
  draw_legend(canvas, picture);
  return canvas.out + "</svg>\n";
}

std::string loss_curve_text(const loss_history& history, uint32_t width, uint32_t height, bool ascii) {
  if (width == 0) return std::string(height, '\n');
  const curve_picture picture = picture_of(history);
  const bool has_axes = width >= 24 && height >= 6;
  const size_t rows = has_axes ? height - 3 : height; // Less the legend, the axis and its labels.
  const linear_axis losses = axis_over(picture.low, picture.high, std::max<size_t>(rows / 2, 1));
  size_t left = 0; // Columns of the loss labels.
  if (has_axes) {
    for (const double mark : losses.marks()) left = std::max(left, losses.mark_text(mark).size());
    left = std::min<size_t>(left, width / 2) + 2;
  }
  const size_t columns = width - left;
  const linear_axis steps = axis_over(picture.first_step, picture.last_step, std::max<size_t>(columns / 12, 1), 1);
  dot_canvas canvas(columns, rows, ascii);
  if (rows > 0) draw_dots(canvas, picture, steps, losses);

  std::string out;
  if (has_axes) {
    std::string legend = "loss   training " + std::string(ascii ? "***" : "---");
    if (!picture.validation.empty()) legend += "   validation o";
    if (!picture.diverged.empty()) legend += "   diverged !";
    if (picture.begins_at) legend += "   from " + rounded_loss(*picture.begins_at);
    if (picture.is_empty()) legend = "no losses yet";
    legend = exactly(legend, width);
    if (const size_t dashes = legend.find("---"); dashes != std::string::npos) legend.replace(dashes, 3, "⠒⠒⠒");
    out += legend + "\n";
  }
  std::vector<std::string> row_labels(rows);
  for (const double mark : losses.marks())
    if (has_axes) row_labels[dot_of(1 - losses.share(mark), rows)] = losses.mark_text(mark);
  for (size_t row = 0; row < rows; ++row) {
    if (has_axes) {
      const std::string label = row_labels[row].substr(0, left - 2);
      out += std::string(left - 2 - label.size(), ' ') + label + (ascii ? (label.empty() ? " |" : " +") : label.empty() ? " │" : " ┤");
    }
    out += canvas.row_text(row) + "\n";
  }
  if (!has_axes) return out;
  const step_labels labels = labels_of(steps, left, columns);
  out += std::string(left - 1, ' ') + (ascii ? "+" : "└");
  for (size_t column = 0; column < columns; ++column) {
    const bool marked = std::find(labels.marks.begin(), labels.marks.end(), column) != labels.marks.end();
    out += ascii ? (marked ? "+" : "-") : marked ? "┴" : "─";
  }
  return out + "\n" + labels.text + "\n";
}

} // namespace troupe
