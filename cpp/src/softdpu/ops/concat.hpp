#pragma once

// concat-fix along any axis: each input requantized, y = R(x * 2^(fo - fi)).

#include <nerone/xmodel.hpp>
#include <vector>

#include "softdpu/value.hpp"

namespace nerone::softdpu {

struct Concat {
  std::int64_t outer = 1;                  // product of the extents before the axis
  std::vector<std::int64_t> input_blocks;  // per input: its extent along the axis times the product of those behind it
  std::vector<int> shifts;                 // fi - fo per input
  std::int64_t output_block = 0;           // the sum of input_blocks
  int axis = 0;
};

Concat parse_concat(const xmodel::Op& op, const std::vector<const Value*>& inputs, const Value& output);
void run_scalar(const Concat& concat, const void* const* inputs, std::int8_t* output);

}  // namespace nerone::softdpu
