#pragma once

// y = R(act(S / 2^shift)), S = sum of floor(4 x_i / 2^shift_i): the DPU's addition; with one input a requantization.
// Exact in 16 bits for up to 16 inputs and shifts of up to 14.

#include <vector>

#include "softdpu/jit/image.hpp"
#include "softdpu/jit/isa.hpp"
#include "softdpu/jit/range.hpp"

namespace nerone::softdpu::jit {

inline constexpr int max_sum_inputs = 16;
inline constexpr int max_sum_shift = 14;

struct SumRule {
  std::vector<int> input_shifts;
  int shift = 0;
  ByteBounds bounds;
};

// As many inputs as the rule has shifts.
void sum(Isa isa, const ConstImage* inputs, const SumRule& rule, const Image& output, const Range& rows = every_row);

}  // namespace nerone::softdpu::jit
