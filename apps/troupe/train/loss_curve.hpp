#pragma once
// Pictures of how a loss went down: an SVG for reports, and one of characters for the terminal.
//
// Both axes are linear. On a logarithmic axis of steps the last half of a run, which says whether more of it is worth while, would take
// the last sixth of the picture. Axes are marked at 1, 2 or 5 times a power of ten, in plain decimal numbers.
//
// Points may come in any order; of several with the same step, the last counts (a step that was done again after a restart). The curve
// is the mean over the points around each, up to a hundredth of all on either side and as many to the left as to the right, but at the end
// what there is; of fewer than 100 points it is the points themselves. The axis of losses holds this curve, all validations and 99 of 100
// of the single values; values beyond it lie on its edge. A run begins so high that little would be seen of the rest: of 100 points or
// more, all but the first twentieth take at least half of the axis, and "from 10.83" says where a curve begins that is cut off by that. A
// loss that is not finite, or beyond 10^9 either way, has no place on an axis: its step gets a mark of its own ("diverged"), and the curve
// has a gap there.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

struct curve_point {
  uint64_t step = 0;
  double loss = 0;
};

struct loss_history {
  std::vector<curve_point> training, validation; // Either may be empty.
};

/// 800 x 450, self-contained: no scripts, fonts or links; it follows the reader's choice of light or dark. The smoothed training curve over
/// faint single values, validations as points with a line. Less than 60 KB for any number of points, as only what differs in the picture
/// is drawn. The same points give the same text. `title`: plain UTF-8; cut if it is long.
std::string loss_curve_svg(const loss_history& history, std::string_view title = "Loss");

/// `height` lines of exactly `width` columns each, every one ended by "\n": the smoothed training curve as dots of braille (two by four in
/// a character), validations as "o", diverged steps as "!" at the top. `ascii`: "*" instead of braille, for terminals without UTF-8.
/// Axis labels and the legend are left out where there is no room for them: from 24 x 6 on both are there.
std::string loss_curve_text(const loss_history& history, uint32_t width, uint32_t height, bool ascii = false);

} // namespace troupe
