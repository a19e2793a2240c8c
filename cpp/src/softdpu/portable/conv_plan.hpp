#pragma once

// Any of the four convolutions as a few plain correlations: a transposed one with strides (sy, sx) is sy * sx
// correlations of stride 1, each for the output pixels of one remainder and with the taps that meet input pixels there.

#include <cstdint>
#include <vector>

#include "softdpu/ops/conv.hpp"

namespace nerone::softdpu::portable {

// Output pixels first + i * step of one axis read input pixels i * input_step + offsets[k] with kernel tap taps[k].
struct AxisPlan {
  std::int64_t first = 0, step = 1, count = 0, input_step = 1;
  std::vector<int> taps;
  std::vector<std::int64_t> offsets;
};

std::vector<AxisPlan> plan_rows(const Conv& conv);
std::vector<AxisPlan> plan_columns(const Conv& conv);

// Input rows as int16 or int8, with zeros around each row and behind each pixel's channels.
struct PaddedRows {
  std::int64_t left = 0;      // pixels of zeros before a row
  std::int64_t width = 0;     // pixels of a row, zeros included
  std::int64_t channels = 0;  // of a pixel, zeros included
  std::int64_t height = 0;    // rows of the image; one row of zeros follows them

  std::int64_t row_elements() const { return width * channels; }
  std::int64_t elements() const { return (height + 1) * row_elements(); }
  // The row's first pixel of the image, or of zeros outside the image.
  template <class Element>
  const Element* row(const Element* rows, std::int64_t y) const {
    return rows + (y >= 0 && y < height ? y : height) * row_elements() + left * channels;
  }
};

PaddedRows pad_rows(const Conv& conv, const std::vector<AxisPlan>& columns, std::int64_t channel_multiple);

}  // namespace nerone::softdpu::portable
