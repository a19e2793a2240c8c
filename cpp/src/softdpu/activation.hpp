#pragma once

#include <cstdint>
#include <nerone/xmodel.hpp>

#include "softdpu/fixed.hpp"

namespace nerone::softdpu {

struct HardSigmoidShifts {
  int in = 0, out = 0;  // hsigmoid_in and shift_hsigmoid

  static HardSigmoidShifts parse(const xmodel::Op& op);
};

// The `nonlinear` of a convolution or an element-wise op. It acts on the exact value, before rounding.
struct Activation {
  enum class Kind { none, relu, relu6, leaky_relu, hard_sigmoid, hard_swish };

  Kind kind = Kind::none;
  bool clip_at_96 = false;  // RELU6 with an output fix point of at most 4
  HardSigmoidShifts hard_sigmoid;
  int shift_hswish = 0;

  // Reads `nonlinear` and its parameters. ModelError for one whose arithmetic on the DPU is not known.
  static Activation parse(const xmodel::Op& op, int output_fix_point);
};

// LEAKYRELU multiplies negative values by leaky_numerator / 256.
inline constexpr int leaky_numerator = 26;

// y = R(min(2^32, max(0, 2731 t + 3 * 2731 * 2^in)) / 2^out), t an int8
std::int8_t hard_sigmoid(std::int64_t t, const HardSigmoidShifts& shifts);

// y = R(act(numerator / 2^shift)), exact for |numerator| < 2^53. HSIGMOID is the formula
// above on t = R(numerator / 2^shift), HSWISH is R(t * HSIGMOID(t) / 2^shift_hswish).
std::int8_t activate_and_round(const Activation& activation, std::int64_t numerator, int shift);

}  // namespace nerone::softdpu
