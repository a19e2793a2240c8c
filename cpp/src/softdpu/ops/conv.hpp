#pragma once

// conv2d-fix, depthwise-conv2d-fix, transposed-conv2d-fix, transposed-depthwise-conv2d-fix.
//
//   shift_bias = fi + fw - fb, shift_cut = fi + fw - fo   (fix points of input, weights, bias, output)
//   A2 = 2 * sum(x * w) + floor(2 * b * 2^shift_bias)
//   y  = R(act(A2 / 2^(shift_cut + 1)))
//
// Weights are [Co, Kh, Kw, Ci]; depthwise [M, Kh, Kw, C], where output channel c * M + m reads input channel c.
// A transposed convolution inserts stride - 1 zeros between input pixels, pads by kernel - 1 - pad on each side and
// correlates with the stored weights without flipping them: y[oy] = sum over iy, ky with
// oy = iy * stride + (kernel - 1 - ky) - pad_top of x[iy] * w[ky], likewise along x.
// The stored shift_bias and shift_cut count only with HSIGMOID and HSWISH.

#include "softdpu/activation.hpp"
#include "softdpu/ops/window.hpp"
#include "softdpu/value.hpp"

namespace nerone::softdpu {

struct Conv {
  bool depthwise = false;
  bool transposed = false;
  Window window;
  Extents input, output;
  std::int64_t multiplier = 1;  // M of a depthwise convolution
  int shift_bias = 0;
  int shift_cut = 0;
  Activation activation;
  Int8Data weights;
  Int8Data bias;  // null where there is none

  // floor(2 * b * 2^shift_bias) of an output channel; 0 where there is no bias.
  std::int64_t doubled_bias(std::int64_t channel) const;
  // The largest |sum(x * w)| that any int8 input can give.
  std::int64_t accumulator_bound() const;
  std::int64_t macs() const;
};

struct ConvOperands {
  const Value* input = nullptr;
  const Value* weights = nullptr;
  const Value* bias = nullptr;  // null where there is none
  const Value* output = nullptr;
};
Conv parse_conv(const xmodel::Op& op, const ConvOperands& operands);

// The readable reference.
void run_scalar(const Conv& conv, const std::int8_t* input, std::int8_t* output);

}  // namespace nerone::softdpu
