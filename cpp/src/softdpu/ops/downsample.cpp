#include "softdpu/ops/downsample.hpp"

#include <cmath>

#include "softdpu/attributes.hpp"
#include "softdpu/fixed.hpp"

namespace nerone::softdpu {

namespace {

std::int64_t whole_step(const xmodel::Op& op, double scale) {
  if (!(scale >= 1.0) || scale > 65536.0 || scale != std::floor(scale)) {
    refuse(op, "scale " + std::to_string(scale) + " is not supported, expected a whole number from 1");
  }
  return static_cast<std::int64_t>(scale);
}

std::int64_t steps(std::int64_t extent, std::int64_t step) { return (extent + step - 1) / step; }

}  // namespace

Downsample parse_downsample(const xmodel::Op& op, const Value& input, const Value& output) {
  Downsample downsample;
  const auto mode = string_attr(op, "mode", "NEAREST");
  if (mode != "NEAREST" && mode != "BILINEAR") {
    refuse(op, "mode '" + mode + "' is not supported, expected NEAREST or BILINEAR");
  }
  const auto scale = numbers_attr(op, "scale", 2, {});
  downsample.step_w = whole_step(op, scale[0]);
  downsample.step_h = whole_step(op, scale[1]);
  downsample.input = extents_of(op, input);
  downsample.output = extents_of(op, output);
  const auto fits = [](std::int64_t in, std::int64_t out, std::int64_t step) {
    return out == steps(in, step) || out == in / step;
  };
  if (downsample.output.batch != downsample.input.batch || downsample.output.channels != downsample.input.channels ||
      !fits(downsample.input.height, downsample.output.height, downsample.step_h) ||
      !fits(downsample.input.width, downsample.output.width, downsample.step_w)) {
    refuse(op, "shape " + to_string(input.shape) + " with this scale cannot give " + to_string(output.shape));
  }
  downsample.shift = input.fix_point - output.fix_point;
  return downsample;
}

void run_scalar(const Downsample& downsample, const std::int8_t* input, std::int8_t* output) {
  const auto& in = downsample.input;
  const auto& out = downsample.output;
  for (std::int64_t n = 0; n < out.batch; ++n) {
    for (std::int64_t y = 0; y < out.height; ++y) {
      for (std::int64_t x = 0; x < out.width; ++x) {
        const auto* pixel =
            input + ((n * in.height + y * downsample.step_h) * in.width + x * downsample.step_w) * in.channels;
        for (std::int64_t channel = 0; channel < out.channels; ++channel) {
          *output++ = round_shift(pixel[channel], downsample.shift);
        }
      }
    }
  }
}

}  // namespace nerone::softdpu
