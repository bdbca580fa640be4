#include "apps/digits/writing.hpp"
#include "apps/digits/draws.hpp"
#include <algorithm>
#include <array>
#include <cmath>

namespace troupe::digits {
namespace {

using generators::choice;

const shape& choose_shape(choice& draws, uint32_t digit) {
  const auto shapes = shapes_of(digit);
  std::vector<uint32_t> weights;
  for (const shape& one : shapes) weights.push_back(one.weight);
  return shapes[draws.weighted(weights)];
}

/// The smooth curve through the points of a piece without corners, as straight pieces: Catmull-Rom splines.
void append_curve(std::span<const point> points, line& into) {
  constexpr int pieces = 8;
  const auto last = points.size() - 1;
  for (size_t i = 0; i < last; ++i) {
    const point &a = points[i], &b = points[i + 1];
    // The neighbours; at an end the point that continues the chord.
    const point before = i > 0 ? points[i - 1] : point{2 * a.x - b.x, 2 * a.y - b.y};
    const point after = i + 1 < last ? points[i + 2] : point{2 * b.x - a.x, 2 * b.y - a.y};
    const auto at = [](double p, double q, double r, double s, double t) {
      return q + t / 2 * (r - p + t * (2 * p - 5 * q + 4 * r - s + t * (3 * (q - r) + s - p)));
    };
    for (int piece = i == 0 && into.empty() ? 0 : 1; piece <= pieces; ++piece) {
      const double t = double(piece) / pieces;
      into.push_back({at(before.x, a.x, b.x, after.x, t), at(before.y, a.y, b.y, after.y, t)});
    }
  }
}

line curve_of(const stroke& points) {
  line result;
  size_t begin = 0;
  for (size_t i = 1; i < points.size(); ++i) {
    if (!points[i].is_corner && i + 1 < points.size()) continue;
    append_curve(std::span(points).subspan(begin, i + 1 - begin), result);
    begin = i;
  }
  return result;
}

/// A smooth field of displacements over a shape: a grid of them, and between its points the cubic B-spline of the 16 around.
class distortion {
public:
  distortion(choice& draws, double deviation) {
    for (auto& row : grid_) {
      for (point& displacement : row) displacement = {around_zero(draws, deviation), around_zero(draws, deviation)};
    }
  }
  void apply(mark& at) const {
    const auto [column, across] = place_of(at.x, columns);
    const auto [row, down] = place_of(at.y, rows);
    const auto weights_x = weights_at(across), weights_y = weights_at(down);
    for (size_t i = 0; i < 4; ++i) {
      for (size_t j = 0; j < 4; ++j) {
        const point& displacement = grid_[row + i][column + j];
        at.x += weights_y[i] * weights_x[j] * displacement.x;
        at.y += weights_y[i] * weights_x[j] * displacement.y;
      }
    }
  }

private:
  static constexpr int columns = 3, rows = 4; // Of cells, each 34 wide and high; they begin at -20.
  struct place {
    size_t cell;
    double within; // 0 ... 1
  };
  static place place_of(double coordinate, int cells) {
    const double at = std::clamp((coordinate + 20) / 34, 0.0, cells - 1e-9);
    const auto cell = static_cast<size_t>(at);
    return {cell, at - double(cell)};
  }
  static std::array<double, 4> weights_at(double t) {
    const double s = 1 - t;
    return {s * s * s / 6, (3 * t * t * t - 6 * t * t + 4) / 6, (3 * s * s * s - 6 * s * s + 4) / 6, t * t * t / 6};
  }

  std::array<std::array<point, columns + 3>, rows + 3> grid_;
};

/// x' = a x + b y, y' = c x + d y
struct linear {
  double a, b, c, d;
};

/// Proportions, then slant, then rotation.
linear choose_posture(choice& draws) {
  const double width = uniform(draws, 0.75, 1.3), slant = std::clamp(around_zero(draws, 0.17) - 0.08, -0.5, 0.4);
  // The tangent of half an angle gives its sine and cosine without either function. 0.1317 is that of 15 degrees.
  const double tangent = std::clamp(around_zero(draws, 0.055), -0.1317, 0.1317), norm = 1 + tangent * tangent;
  const double cosine = (1 - tangent * tangent) / norm, sine = 2 * tangent / norm;
  return {cosine * width, cosine * slant - sine, sine * width, sine * slant + cosine};
}

/// Half the width of the pen along its way, in parts of the digit's height.
void choose_pen(choice& draws, std::vector<line>& lines) {
  // Seldom very thick: small rings would close.
  const double thickness = uniform(draws, 0, 1), radius = 0.022 + 0.06 * thickness * (0.4 + 0.6 * thickness);
  const double change = draws.chance(1, 2) ? uniform(draws, 0.05, 0.35) : 0;
  const bool is_pointed = draws.chance(1, 5);
  for (line& one : lines) {
    // A parabola along the stroke: from one end to the other, and thicker or thinner in the middle.
    const double slope = change * uniform(draws, -1, 1), bend = change * uniform(draws, -1, 1);
    for (size_t i = 0; i < one.size(); ++i) {
      const double t = 2.0 * double(i) / double(one.size() - 1) - 1;
      one[i].radius = radius * std::max(0.4, 1 + slope * t + bend * (0.5 - t * t));
      if (is_pointed) one[i].radius *= std::min(1.0, 0.55 + 2 * (1 - t));
    }
  }
}

struct box {
  double left = 1e9, top = 1e9, right = -1e9, bottom = -1e9;
};

/// Of the ink when the radii are in parts of `height`.
box box_of(const std::vector<line>& lines, double height) {
  box result;
  for (const line& one : lines) {
    for (const mark& at : one) {
      const double radius = at.radius * height;
      result.left = std::min(result.left, at.x - radius);
      result.right = std::max(result.right, at.x + radius);
      result.top = std::min(result.top, at.y - radius);
      result.bottom = std::max(result.bottom, at.y + radius);
    }
  }
  return result;
}

/// Into the unit square: as large as leaves a margin, at a place within it that is near the middle most of the time.
void place(choice& draws, std::vector<line>& lines) {
  box paths = box_of(lines, 0);
  const double height = std::max(paths.bottom - paths.top, 0.6 * (paths.right - paths.left));
  const box ink = box_of(lines, height);
  const double part = draws.chance(1, 3) ? uniform(draws, 0.86, 0.98) : uniform(draws, 0.6, 0.86);
  const double scale = part / std::max(ink.bottom - ink.top, ink.right - ink.left);
  const auto shift = [&](double low, double high) {
    const double room = 1 - scale * (high - low);
    return room * std::clamp(0.5 + around_zero(draws, 0.12), 0.05, 0.95) - scale * low;
  };
  const double right = shift(ink.left, ink.right), down = shift(ink.top, ink.bottom);
  for (line& one : lines) {
    for (mark& at : one) at = {scale * at.x + right, scale * at.y + down, scale * height * at.radius};
  }
}

} // namespace

std::vector<line> write_digit(choice& draws, uint32_t digit) {
  const double unsteadiness = uniform(draws, 0.6, 2.6); // Of the points, beside the distortion that they share.
  const distortion plane{draws, uniform(draws, 1, 7)};
  const linear posture = choose_posture(draws);
  std::vector<line> lines;
  for (stroke points : choose_shape(draws, digit).strokes) {
    for (point& at : points) {
      at.x += around_zero(draws, unsteadiness);
      at.y += around_zero(draws, unsteadiness);
    }
    line curve = curve_of(points);
    for (mark& at : curve) {
      plane.apply(at);
      at = {posture.a * at.x + posture.b * at.y, posture.c * at.x + posture.d * at.y};
    }
    lines.push_back(std::move(curve));
  }
  choose_pen(draws, lines);
  place(draws, lines);
  return lines;
}

} // namespace troupe::digits
