#pragma once

// downsample-fix: y = R(x[:, ::sh, ::sw] * 2^(fo - fi)), whether the mode is NEAREST or BILINEAR, as in the reference.

#include <nerone/xmodel.hpp>

#include "softdpu/value.hpp"

namespace nerone::softdpu {

struct Downsample {
  std::int64_t step_h = 1, step_w = 1;
  Extents input, output;
  int shift = 0;  // fi - fo
};

Downsample parse_downsample(const xmodel::Op& op, const Value& input, const Value& output);
void run_scalar(const Downsample& downsample, const std::int8_t* input, std::int8_t* output);

}  // namespace nerone::softdpu
