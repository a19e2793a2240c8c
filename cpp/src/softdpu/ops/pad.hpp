#pragma once

// pad-fix CONSTANT, SYMMETRIC (the edge is repeated) and REFLECT (it is not); the integers stay as they are.
// `paddings` holds {before, after} for each axis, `constant_values` likewise; all its values must agree.

#include <nerone/xmodel.hpp>
#include <vector>

#include "softdpu/value.hpp"

namespace nerone::softdpu {

struct Pad {
  // Per axis and output coordinate: the input coordinate it shows, or -1 where it shows a constant.
  std::vector<std::vector<std::int64_t>> sources;
  Shape input_shape, output_shape;
  std::int8_t constant = 0;
};

Pad parse_pad(const xmodel::Op& op, const Value& input, const Value& output);
void run_scalar(const Pad& pad, const std::int8_t* input, std::int8_t* output);

}  // namespace nerone::softdpu
