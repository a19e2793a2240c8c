#pragma once

#include <array>
#include <cstddef>
#include <nerone/preprocess.hpp>
#include <optional>
#include <variant>
#include <vector>

#include "kernels/affine.hpp"
#include "preprocess/taps.hpp"

namespace nerone::preprocess {

// A pointwise step whose constants come from the pixels: of this slice, or of the volume (then given).
struct Measured {
  bool percentile = false;  // else z-score
  std::optional<double> low;
  double high = 100.0;
  std::array<double, 2> to = {-1.0, 1.0};
  bool nonzero = false;
  std::optional<std::size_t> given;  // index into Statistics
};

using Fixed = std::vector<kernels::Affine>;  // one per channel
using Point = std::variant<Fixed, Measured>;

// A part of the steps that runs row by row: channels are chosen, then pixels are moved or made grey, then values are
// mapped.
struct Stage {
  std::vector<std::size_t> select;
  std::optional<std::array<float, 3>> grey;
  bool moves = false;
  AxisMap row_map;
  AxisMap column_map;
  Band rows;
  Band columns;
  float pad_value = 0.0F;
  bool padded = false;
  Shape in;  // channels: of the source, before the choice
  Shape out;
  std::vector<Point> points;  // only the first can be measured on the slice itself
};

struct Plan {
  std::vector<Stage> stages;
  Shape in;
  Shape out;
};

Plan make_plan(const Steps& steps, Shape in, std::optional<Spacing> spacing, bool statistics_given);

// Saturation to [low, high], mapped to `to`; to[0] everywhere where the ends are equal.
kernels::Affine window_affine(double low, double high, const std::array<double, 2>& to);
// (x - mean) / deviation; 0 everywhere where there is no deviation.
kernels::Affine z_score_affine(double mean, double deviation, bool keep_zero);

}  // namespace nerone::preprocess
