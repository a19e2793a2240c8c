#pragma once

#include <nerone/xmodel.hpp>

#include "softdpu/value.hpp"

namespace nerone::softdpu {

// How a kernel moves over an image. XIR stores kernel, stride and dilation as {w, h}, pad as {left, right, top,
// bottom}.
struct Window {
  int kernel_h = 1, kernel_w = 1;
  int stride_h = 1, stride_w = 1;
  int dilation_h = 1, dilation_w = 1;
  int pad_top = 0, pad_bottom = 0, pad_left = 0, pad_right = 0;

  // ModelError where an attribute has another length than it needs, or a value that makes no sense.
  static Window parse(const xmodel::Op& op);

  // floor((in + pads - (kernel - 1) * dilation - 1) / stride) + 1; 0 where the window does not fit.
  std::int64_t output_height(std::int64_t input_height) const;
  std::int64_t output_width(std::int64_t input_width) const;
};

}  // namespace nerone::softdpu
